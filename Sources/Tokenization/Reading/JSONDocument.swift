import Foundation
import StrictJSON

extension JSONParser {
  /// Parses the contents of a whole file.
  ///
  /// - Parameter file: the file name in error messages.
  /// - Throws: `TokenizerError.notJSON` with line and column.
  static func parse(_ data: Data, file: String) throws(TokenizerError) -> JSONValue {
    let result = data.withUnsafeBytes { bytes -> Result<JSONValue, TokenizerError> in
      do throws(JSONSyntaxError) {
        return .success(try parse(bytes))
      } catch {
        let (line, column) = error.position(in: bytes)
        return .failure(.notJSON(file: file, line: line, column: column, reason: error.reason))
      }
    }
    return try result.get()
  }
}
