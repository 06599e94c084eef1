import Foundation
import StrictJSON

extension JSONParser {
  /// Reads a whole file's contents.
  ///
  /// - Parameter file: what errors name.
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
