import Checkpoint
import Foundation
import LanguageModels
import SafeFiles
import TaskGraph

/// The adapter of a workflow in one safetensors file.
///
/// | part | name | shape |
/// |---|---|---|
/// | A of a layer | `<module path>.lora_a.weight` | `[rank, inputs]` float32 |
/// | B of a layer | `<module path>.lora_b.weight` | `[outputs, rank]` float32 |
/// | metadata | `format` | `contexture-adapter-1` |
/// | metadata | `scale` | factor of `B A x` |
/// | metadata | `blocks` | JSON: `[{"task", "columns": [first, end], "sees": [columns]}]` |
/// | metadata | `sha256` | checksum of the tensors and the other metadata |
package struct AdapterFile: Sendable, Equatable {
  /// The block of columns of one task.
  package struct Block: Sendable, Equatable, Codable {
    package var task: String
    /// Its columns: the first, and the one after the last.
    package var columns: [Int]
    /// The columns that the task computes with: its own and its prerequisites'.
    package var sees: [Int]
  }

  package var adapter: LoRAAdapter
  /// The tasks' blocks, in the workflow's order.
  package var blocks: [Block]

  static let format = "contexture-adapter-1"

  package init(adapter: LoRAAdapter, schedule: PhaseSchedule) {
    self.adapter = adapter
    blocks = schedule.graph.tasks.map { task in
      let block = schedule.blocks[task]
      return Block(
        task: task, columns: [block.lowerBound, block.upperBound], sees: schedule.viewColumns(of: task))
    }
  }

  /// Reads a file.
  ///
  /// - Throws: `FileError`, with the file and what is wrong with it.
  package init(_ url: URL, modules: [TargetModule]) throws {
    let file = try SafetensorsFile(url)
    func refuse(_ field: String, _ problem: String) -> FileError {
      FileError(
        .malformed, file: url.path, field: field, problem: problem,
        remedy: "give an adapter written for this model and workflow")
    }
    guard file.metadata["format"] == Self.format else {
      throw refuse("metadata format", "is not \(Self.format)")
    }
    guard let scale = file.metadata["scale"].flatMap(Float.init), scale.isFinite else {
      throw refuse("metadata scale", "is not a number")
    }
    guard let text = file.metadata["blocks"],
      let blocks = try? JSONDecoder().decode([Block].self, from: Data(text.utf8)),
      let rank = blocks.compactMap(\.columns.last).max(), rank > 0
    else { throw refuse("metadata blocks", "is not a list of blocks") }
    for block in blocks {
      guard block.columns.count == 2, block.columns[0] >= 0, block.columns[0] < block.columns[1],
        block.sees.allSatisfy({ (0..<rank).contains($0) }), Set(block.sees).count == block.sees.count
      else { throw refuse("metadata blocks", "has a block with columns that the adapter does not have") }
    }
    guard try AdapterTensors.isIntact(file) else {
      throw refuse("metadata sha256", "is not the checksum of the file: it is damaged")
    }
    self.blocks = blocks
    adapter = LoRAAdapter(
      modules: modules, rank: rank, scale: scale,
      pairs: try AdapterTensors.read(file, modules: modules, rank: rank))
  }

  /// Writes the file atomically.
  ///
  /// - Throws: `FileError` if the system refuses.
  package func write(to url: URL) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys]
    try AdapterTensors.write(
      AdapterTensors.tensors(adapter),
      metadata: [
        "format": Self.format, "scale": "\(adapter.scale)",
        "blocks": String(decoding: try encoder.encode(blocks), as: UTF8.self),
      ], to: url)
  }
}

/// The tensors of an adapter by their names in a file.
package enum AdapterTensors {
  /// A and B of every target module.
  package static func tensors(_ adapter: LoRAAdapter) -> [SafetensorsWriter.Tensor] {
    zip(adapter.modules, adapter.pairs).flatMap { module, pair in
      [
        SafetensorsWriter.Tensor(
          name: module.path + ".lora_a.weight", shape: [adapter.rank, module.inputs],
          elements: .float32(pair.a)),
        SafetensorsWriter.Tensor(
          name: module.path + ".lora_b.weight", shape: [module.outputs, adapter.rank],
          elements: .float32(pair.b)),
      ]
    }
  }

  /// Writes tensors and metadata, with their checksum in the metadata entry `sha256`.
  package static func write(
    _ tensors: [SafetensorsWriter.Tensor], metadata: [String: String], to url: URL
  ) throws {
    var metadata = metadata
    metadata["sha256"] = checksum(tensors, metadata)
    try SafetensorsWriter.write(tensors, metadata: metadata, to: url)
  }

  /// Whether the tensors and metadata match the checksum.
  ///
  /// - Throws: `FileError` if the file cannot be read.
  static func isIntact(_ file: SafetensorsFile) throws -> Bool {
    var metadata = file.metadata
    let recorded = metadata.removeValue(forKey: "sha256")
    var checksum = checksum(metadata)
    for tensor in file.tensors.sorted(by: { $0.name < $1.name }) {
      guard tensor.type == .float32 else { return false }
      checksum.add("\(tensor.name) \(tensor.shape)")
      try file.forEachPiece(of: tensor) { bytes, _ in checksum.add(bytes) }
    }
    return recorded == checksum.text
  }

  /// The checksum of names, shapes and values, each text preceded by its length, in the order of the names.
  private static func checksum(_ tensors: [SafetensorsWriter.Tensor], _ metadata: [String: String]) -> String
  {
    var checksum = checksum(metadata)
    for tensor in tensors.sorted(by: { $0.name < $1.name }) {
      checksum.add("\(tensor.name) \(tensor.shape)")
      guard case .float32(let values) = tensor.elements else { continue }
      values.withUnsafeBytes { checksum.add($0) }
    }
    return checksum.text
  }

  private static func checksum(_ metadata: [String: String]) -> Checksum {
    metadata.sorted { $0.key < $1.key }.reduce(into: Checksum()) { checksum, entry in
      checksum.add(entry.key)
      checksum.add(entry.value)
    }
  }

  /// Reads A and B of every target module.
  ///
  /// - Throws: `FileError` if one is missing, has another shape, or has a value that is not finite.
  package static func read(_ file: SafetensorsFile, modules: [TargetModule], rank: Int) throws -> [LoRAPair] {
    func values(_ name: String, _ shape: [Int]) throws -> [Float] {
      let tensor = try file.require(name)
      guard tensor.shape == shape else {
        throw FileError(
          .malformed, file: file.path, field: name, problem: "has the shape \(tensor.shape), not \(shape)",
          remedy: "give an adapter written for this model and rank")
      }
      let values = try file.float32(name)
      guard values.allSatisfy(\.isFinite) else {
        throw FileError(
          .malformed, file: file.path, field: name, problem: "has a value that is not a finite number",
          remedy: "train again into a new folder, with a lower training.learningRate")
      }
      return values
    }
    return try modules.map { module in
      LoRAPair(
        a: try values(module.path + ".lora_a.weight", [rank, module.inputs]),
        b: try values(module.path + ".lora_b.weight", [module.outputs, rank]))
    }
  }
}
