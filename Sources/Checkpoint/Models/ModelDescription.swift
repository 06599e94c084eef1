import Foundation
import SafeFiles
import TextTables

extension LlamaConfiguration {
  /// The configuration as lines of names and values.
  var table: String {
    let scaling: String
    switch ropeScaling {
    case nil: scaling = "none"
    case .linear(let factor)?: scaling = "linear, factor \(factor)"
    case .llama3(let factor, let low, let high, let original)?:
      scaling = "llama3, factor \(factor), low \(low), high \(high), original \(original)"
    case .divisors(let divisors)?: scaling = "\(divisors.count) divisors from the file"
    }
    return ModelTable.aligned(
      title: "Llama model",
      rows: [
        ["vocabulary", "\(vocabularySize)"], ["hidden size", "\(hiddenSize)"],
        ["intermediate size", "\(intermediateSize)"], ["layers", "\(layerCount)"],
        ["query heads", "\(headCount) of \(headDimension)"],
        ["key/value heads", "\(keyValueHeadCount)"], ["RMSNorm epsilon", "\(rmsNormEpsilon)"],
        ["rope theta", "\(ropeTheta)"], ["rope scaling", scaling],
        ["maximum positions", "\(maximumPositions)"],
        ["output head", tiedEmbeddings ? "tied to the token embedding" : "separate"],
      ])
  }
}

extension GGUFFile: CustomStringConvertible {
  /// Metadata, tensors and totals as readable text.
  package var description: String {
    let values = keys.map { [$0, metadata[$0].map(Self.brief) ?? ""] }
    let rows = tensors.map {
      ModelTable.TensorRow(
        name: $0.name, type: $0.type.description, shape: $0.shape, bytes: $0.byteRange.count)
    }
    return ModelTable.aligned(title: "\(path): GGUF version \(version)", rows: values) + "\n"
      + ModelTable.tensors(rows)
  }

  private static func brief(_ value: GGUFValue) -> String {
    switch value {
    case .uint8(let value): return "\(value)"
    case .int8(let value): return "\(value)"
    case .uint16(let value): return "\(value)"
    case .int16(let value): return "\(value)"
    case .uint32(let value): return "\(value)"
    case .int32(let value): return "\(value)"
    case .uint64(let value): return "\(value)"
    case .int64(let value): return "\(value)"
    case .float32(let value): return "\(value)"
    case .float64(let value): return "\(value)"
    case .bool(let value): return "\(value)"
    case .string(let value): return ModelTable.line(value)
    case .array(let array): return "\(array.count) × \(array.elementType)"
    }
  }
}

extension SafetensorsFile: CustomStringConvertible {
  /// Metadata, tensors and totals as readable text.
  package var description: String {
    let values = metadata.sorted { $0.key < $1.key }.map { [$0.key, ModelTable.line($0.value)] }
    let rows = tensors.map {
      ModelTable.TensorRow(name: $0.name, type: $0.type.rawValue, shape: $0.shape, bytes: $0.byteRange.count)
    }
    return ModelTable.aligned(title: "\(path): safetensors", rows: values) + "\n" + ModelTable.tensors(rows)
  }
}

/// Plain-text tables.
enum ModelTable {
  /// A row of a table of tensors.
  struct TensorRow {
    let name: String
    let type: String
    let shape: [Int]
    let bytes: Int
    var count: Int { shape.reduce(1, *) }
  }

  /// A title, then rows with aligned columns.
  static func aligned(title: String, rows: [[String]]) -> String {
    let lines = TextTable.aligned(rows).split(separator: "\n", omittingEmptySubsequences: false)
    return ([title] + lines.map { "  " + $0 }).joined(separator: "\n") + "\n"
  }

  /// The tensors, then totals per type and overall.
  static func tensors(_ rows: [TensorRow]) -> String {
    let lines = rows.map { row in
      [row.name, row.type, "[" + row.shape.map(String.init).joined(separator: ", ") + "]"]
    }
    var totals: [String: (tensors: Int, values: Int, bytes: Int)] = [:]
    for row in rows {
      for type in [row.type, "total"] {
        let old = totals[type] ?? (0, 0, 0)
        // Types with an unknown layout have no byte count, so their element counts may overflow.
        totals[type] = (old.tensors + 1, old.values &+ row.count, old.bytes &+ row.bytes)
      }
    }
    let types = totals.keys.filter { $0 != "total" }.sorted() + (rows.isEmpty ? [] : ["total"])
    let sums = types.compactMap { type in
      totals[type].map { [type, "\($0.tensors) tensors", "\($0.values) values", "\($0.bytes) bytes"] }
    }
    return aligned(title: "Tensors", rows: lines) + "\n" + aligned(title: "Totals", rows: sums)
  }

  /// The text on one line, truncated to 72 characters.
  static func line(_ text: String) -> String {
    let flat = text.split(whereSeparator: \.isNewline).joined(separator: "⏎")
    return flat.count > 72 ? String(flat.prefix(71)) + "…" : flat
  }
}

/// Describes any supported file or folder: a model, a GGUF adapter, a safetensors file.
package enum FileInspection {
  /// The output of `contexture model inspect`: configuration, metadata, tensors with type and shape, totals.
  /// For a GGUF file that is not a runnable model, the reason replaces the configuration.
  ///
  /// - Throws: `FileError` if the file is damaged or its type is not supported.
  package static func describe(_ path: String) throws -> String {
    let url = URL(fileURLWithPath: path)
    if path.hasSuffix(".safetensors") { return try SafetensorsFile(url).description }
    if path.hasSuffix(".gguf") {
      let file = try GGUFFile(url)
      return try modelPart(file) + "\n" + file.description
    }
    return try ModelFiles.open(path).description
  }

  /// The configuration, or the reason why there is none: the table is also useful for another architecture or
  /// an adapter.
  private static func modelPart(_ file: GGUFFile) throws -> String {
    do {
      return try GGUFWeightSource(file).configuration.table
    } catch let error as FileError {
      let place = error.field.map { "\($0): " } ?? ""
      return TerminalText.line("Cannot be run as a model: \(place)\(error.problem); \(error.remedy)") + "\n"
    }
  }
}
