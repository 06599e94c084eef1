import Foundation
import InputErrors
import Yams

extension Cluster {
  /// The maximum size of a cluster file in bytes.
  static let maximumFileSize = 16 << 20

  /// Reads a cluster file.
  ///
  /// - Throws: `Refusal`, which names the file, the field and the fix.
  package init(contentsOf path: String) throws(Refusal) {
    self = try YAMLFile.read(Cluster.self, path)
  }

  /// Reads a cluster from YAML; `file` is its name in messages.
  package init(yaml: String, file: String) throws(Refusal) {
    self = try YAMLFile.decode(Cluster.self, yaml, file: file)
  }

  /// The cluster as YAML; `init(yaml:file:)` reads it back as an equal value.
  package func yaml() throws -> String {
    let encoder = YAMLEncoder()
    encoder.options.width = 110
    // Small numbers come with 17 digits, as in 2.8019999999999999e-05. The shortest form that reads back is
    // clearer.
    return try encoder.encode(self).replacing(/\d\.\d{12,}(e[-+]?\d+)?$/.anchorsMatchLineEndings()) { match in
      Double(match.0).map { "\($0)" } ?? String(match.0)
    }
  }
}

extension ModelShape {
  /// Reads a model's shape from a YAML or JSON file.
  package init(contentsOf path: String) throws(Refusal) {
    self = try YAMLFile.read(ModelShape.self, path)
  }
}

/// Reads values from YAML files.
enum YAMLFile {
  static func read<Value: Decodable>(_ type: Value.Type, _ path: String) throws(Refusal) -> Value {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), !isFolder.boolValue else {
      let problem = isFolder.boolValue ? "is a folder" : "there is no such file"
      throw Refusal(path, problem, "check the path")
    }
    guard let handle = FileHandle(forReadingAtPath: path),
      let bytes = try? handle.read(upToCount: Cluster.maximumFileSize + 1) ?? Data()
    else {
      throw Refusal(path, "cannot be read", "check the permissions")
    }
    guard bytes.count <= Cluster.maximumFileSize else {
      throw Refusal(path, "is larger than \(Cluster.maximumFileSize >> 20) MiB", "name a YAML file")
    }
    // A byte-order mark would shift the first line by a column.
    let content = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? bytes.dropFirst(3) : bytes
    guard let text = String(validating: content, as: UTF8.self) else {
      throw Refusal(path, "is not UTF-8 text", "save it as UTF-8")
    }
    return try decode(type, text, file: path)
  }

  static func decode<Value: Decodable>(
    _ type: Value.Type, _ text: String, file: String
  ) throws(Refusal) -> Value {
    func located(_ path: [any CodingKey], _ problem: String, _ remedy: String) -> Refusal {
      let field = path.dotted
      return Refusal(field.isEmpty ? file : "\(file): \(field)", problem, remedy)
    }
    do {
      return try YAMLDecoder().decode(type, from: text)
    } catch let error as Refusal {
      throw error.within(file)
    } catch DecodingError.keyNotFound(let key, let context) {
      throw located(context.codingPath + [key], "is missing", "add it")
    } catch DecodingError.typeMismatch(let type, let context) {
      throw located(context.codingPath, "has the wrong type", "give \(kind(type))")
    } catch DecodingError.valueNotFound(let type, let context) {
      throw located(context.codingPath, "is empty", "give \(kind(type))")
    } catch DecodingError.dataCorrupted(let context) {
      if let inner = context.underlyingError as? Refusal {
        throw inner.within(file)
      }
      let detail = context.underlyingError.map { ": \($0)".split(whereSeparator: \.isNewline)[0] } ?? ""
      throw located(
        context.codingPath, "cannot be read\(detail)",
        context.codingPath.isEmpty ? "check the YAML's indentation, colons and quotes" : "correct the value")
    } catch {
      throw located([], "is not valid YAML (\(error))", "check indentation, colons and quotes")
    }
  }

  private static func kind(_ type: Any.Type) -> String {
    switch type {
    case is Int.Type: "a whole number"
    case is Double.Type: "a number"
    case is String.Type: "a string"
    case is Bool.Type: "true or false"
    case is any Collection.Type: "a list or mapping"
    default: "a \("\(type)".contains("Array") ? "list" : "mapping")"
    }
  }
}
