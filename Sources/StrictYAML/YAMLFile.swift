import Foundation
import SafeFiles

extension StrictFields {
  /// The size limit of a YAML file, in bytes.
  package static let maximumFileSize = 16 << 20

  /// Reads the text of a YAML file.
  ///
  /// - Parameters:
  ///   - path: the file.
  ///   - kind: what the file should be, for error messages, such as `a workflow's YAML file`.
  /// - Throws: `FieldError` if the file is missing, unreadable, too large or not UTF-8.
  package static func text(ofFile path: String, called kind: String) throws(FieldError) -> String {
    func refused(_ problem: String, _ remedy: String) -> FieldError {
      FieldError(file: path, origin: nil, field: nil, problem: problem, remedy: remedy)
    }
    let bytes: Data
    do {
      bytes = try FileContents.readText(path, limit: maximumFileSize)
    } catch {
      if (try? FileKind.of(path)) == .folder { throw refused("is a folder", "name the YAML file in it") }
      throw switch error.kind {
      case .missing: refused("there is no such file", "check the path")
      case .unsupported: refused(error.problem, "name \(kind)")
      default: refused(error.problem, error.remedy)
      }
    }
    // A byte-order mark would shift the columns of the first line by one.
    let content = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? bytes.dropFirst(3) : bytes
    guard let text = String(validating: content, as: UTF8.self) else {
      throw refused("is not UTF-8 text", "name \(kind), saved as UTF-8")
    }
    return text
  }
}

extension Field {
  /// The root of a YAML document; an empty document is a mapping without fields.
  ///
  /// - Parameters:
  ///   - yaml: the text.
  ///   - file: the file's name, for error messages.
  package init(yaml: String, file: String) throws(FieldError) {
    let empty = YAMLNode(content: .mapping([]), origin: .line(1))
    self.init(file: file, path: "", node: try YAMLNode.parse(yaml, file: file) ?? empty)
  }
}
