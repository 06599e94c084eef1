import SafeFiles
import StrictJSON

extension JSONParser {
  /// Reads a file that is one JSON value; the mapping lives until the value is made.
  ///
  /// - Throws: `FileError` with the offset where the text is not JSON.
  package static func parse(_ file: MappedFile) throws -> JSONValue {
    try file.withBytes { try parse($0, path: file.path) }
  }

  /// Reads a part of a file.
  ///
  /// - Throws: `FileError` with the offset in `bytes` where the text is not JSON.
  package static func parse(_ bytes: UnsafeRawBufferPointer, path: String) throws -> JSONValue {
    do throws(JSONSyntaxError) {
      return try parse(bytes)
    } catch {
      throw FileError(
        .malformed, file: path, field: "JSON at byte \(error.offset)", problem: error.reason,
        remedy: "the file is damaged or was edited wrongly: correct it or fetch it again")
    }
  }
}
