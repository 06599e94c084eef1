import SafeFiles
import StrictJSON

extension JSONParser {
  /// Parses a file that contains one JSON value. The file is unmapped afterwards.
  ///
  /// - Throws: `FileError` with the offset of the error if the text is not JSON.
  package static func parse(_ file: MappedFile) throws -> JSONValue {
    try file.withBytes { try parse($0, path: file.path) }
  }

  /// Parses a part of a file.
  ///
  /// - Throws: `FileError` with the offset of the error in `bytes` if the text is not JSON.
  package static func parse(_ bytes: UnsafeRawBufferPointer, path: String) throws -> JSONValue {
    do throws(JSONSyntaxError) {
      return try parse(bytes)
    } catch {
      throw FileError(
        .malformed, file: path, field: "JSON at byte \(error.offset)", problem: error.reason,
        remedy: "the file is damaged or was edited incorrectly: correct it or fetch it again")
    }
  }
}
