import Foundation
import SafeFiles
import StrictJSON

/// The weights of a Hugging Face folder: `config.json` with `model.safetensors`, or with
/// `model.safetensors.index.json` and the shards that it names.
///
/// | weight | tensor (with `.weight` appended) |
/// |---|---|
/// | tokenEmbedding, finalNorm, head | model.embed_tokens, model.norm, lm_head |
/// | attentionNorm, feedForwardNorm | model.layers.N.input_layernorm, post_attention_layernorm |
/// | query, key, value, attentionOutput | model.layers.N.self_attn.q_proj, k_proj, v_proj, o_proj |
/// | gate, up, down | model.layers.N.mlp.gate_proj, up_proj, down_proj |
///
/// If the configuration ties the head, `lm_head.weight` is ignored. If the file does not have it, the token
/// embedding is used instead.
package final class HuggingFaceWeightSource: WeightSource {
  /// The folder.
  package let path: String
  package let configuration: LlamaConfiguration
  /// The safetensors files by name.
  package let files: [String: SafetensorsFile]

  private let location: [String: SafetensorsFile]

  /// Reads the configuration and checks every weight's presence, shape and type.
  ///
  /// - Throws: `FileError` for another architecture, biases, a missing shard or tensor, a wrong shape or
  ///   type, or layers beyond those of the configuration.
  package init(folder: URL) throws {
    path = folder.path
    let configurationFile = folder.appendingPathComponent("config.json")
    let configuration = try HuggingFaceConfiguration(configurationFile)
    (files, location) = try Self.openFiles(folder)
    let headName = WeightName.head.huggingFaceTensor
    self.configuration = try configuration.read(hasHead: location[headName] != nil)
    try self.configuration.validate(file: configurationFile.path)
    try refuseLeftOverLayers(configurationFile)
    try validateShapes(named: \.huggingFaceTensor)
    let layers = (0..<self.configuration.layerCount).flatMap(WeightName.weights(ofLayer:))
    for name in WeightName.outerWeights(of: self.configuration) + layers {
      let (file, tensor) = try find(name)
      guard !tensor.type.convertsToFloat32 else { continue }
      throw FileError(
        .unsupported, file: file.path, field: tensor.name,
        problem: "weights of type \(tensor.type.rawValue) are not supported",
        remedy: "convert the model to F32, F16 or BF16")
    }
  }

  /// Whether the folder contains the weight. `false` for a tied head, even if the file contains one.
  package func has(_ name: WeightName) -> Bool {
    if name == .head && configuration.tiedEmbeddings { return false }
    return location[name.huggingFaceTensor] != nil
  }

  package func shape(of name: WeightName) throws -> [Int] { try find(name).tensor.shape }

  /// Lets the system reclaim the memory of the pages read so far.
  package func forgetPages() { files.values.forEach { $0.forgetPages() } }

  /// Checks that no file has been written to since it was opened.
  package func checkUnchanged() throws(FileError) {
    for file in files.values { try file.checkUnchanged() }
  }

  /// Reads rows as float32.
  package func readFloat32(
    _ name: WeightName, rows: Range<Int>, into target: UnsafeMutablePointer<Float>
  ) throws {
    let (file, tensor) = try find(name)
    try file.readFloat32(tensor, elements: elements(rows, tensor), into: target)
  }

  /// Reads rows as bfloat16.
  package func readBFloat16(
    _ name: WeightName, rows: Range<Int>, into target: UnsafeMutablePointer<UInt16>
  ) throws {
    let (file, tensor) = try find(name)
    let all = elements(rows, tensor)
    if tensor.type == .bfloat16 {
      precondition(all.lowerBound >= 0 && all.upperBound <= tensor.count, "rows beyond the tensor")
      try file.forEachPiece(of: tensor, elements: all) { bytes, part in
        let place = target + (part.lowerBound - all.lowerBound)
        UnsafeMutableRawBufferPointer(start: place, count: bytes.count).copyMemory(from: bytes)
      }
      return
    }
    try withUnsafeTemporaryAllocation(of: Float.self, capacity: 4096) { piece in
      guard let values = piece.baseAddress else { return }
      var start = all.lowerBound
      while start < all.upperBound {
        let part = start..<min(start + piece.count, all.upperBound)
        try file.readFloat32(tensor, elements: part, into: values)
        FloatConversion.brain(values, count: part.count, into: target + (start - all.lowerBound))
        start = part.upperBound
      }
    }
  }

  /// A configuration with fewer layers than the files contain would silently compute another model.
  private func refuseLeftOverLayers(_ configurationFile: URL) throws {
    let count = configuration.layerCount
    let prefix = "model.layers."
    let layers = location.keys.filter { $0.hasPrefix(prefix) }.compactMap { name in
      Int32(name.dropFirst(prefix.count).prefix { $0 != "." }).map { (layer: Int($0), tensor: name) }
    }
    guard let last = layers.max(by: { ($0.layer, $0.tensor) < ($1.layer, $1.tensor) }), last.layer >= count
    else { return }
    throw FileError(
      .shape, file: configurationFile.path, field: "num_hidden_layers",
      problem: "is \(count), but the weights continue to \(last.tensor)",
      remedy: "the configuration and the weights belong to different models: set it to \(last.layer + 1), or "
        + "fetch both again")
  }

  private func elements(_ rows: Range<Int>, _ tensor: SafetensorsTensor) -> Range<Int> {
    rows.lowerBound * tensor.rowLength..<rows.upperBound * tensor.rowLength
  }

  private func find(_ name: WeightName) throws -> (file: SafetensorsFile, tensor: SafetensorsTensor) {
    let key = name.huggingFaceTensor
    guard let file = location[key], let tensor = file.tensor(key) else {
      throw FileError(
        .missing, file: path, field: key, problem: "the folder has no such tensor",
        remedy: "the model is incomplete: fetch it again")
    }
    return (file, tensor)
  }

  private typealias Opened = (files: [String: SafetensorsFile], location: [String: SafetensorsFile])

  private static func openFiles(_ folder: URL) throws -> Opened {
    let single = folder.appendingPathComponent("model.safetensors")
    let index = folder.appendingPathComponent("model.safetensors.index.json")
    if try FileKind.of(single.path) != nil {
      let file = try SafetensorsFile(single)
      return (
        ["model.safetensors": file], Dictionary(uniqueKeysWithValues: file.tensors.map { ($0.name, file) })
      )
    }
    guard try FileKind.of(index.path) != nil else {
      throw FileError(
        .missing, file: folder.path,
        problem: "holds neither model.safetensors nor model.safetensors.index.json",
        remedy: "fetch the weights; pickled .bin files are not supported, convert them to safetensors")
    }
    return try openShards(index, folder)
  }

  private static func openShards(_ index: URL, _ folder: URL) throws -> Opened {
    let map = try JSONParser.parse(MappedFile(index))["weight_map"]
    guard let members = map?.members else {
      throw FileError(
        .malformed, file: index.path, field: "weight_map", problem: "is not an object",
        remedy: "fetch the index again")
    }
    var files: [String: SafetensorsFile] = [:]
    var location: [String: SafetensorsFile] = [:]
    for member in members {
      guard let shard = member.value.string, !shard.isEmpty, !shard.contains("/"), shard != ".." else {
        throw FileError(
          .malformed, file: index.path, field: "weight_map.\(member.key)",
          problem: "is not the name of a file in the same folder", remedy: "fetch the index again")
      }
      let place = folder.appendingPathComponent(shard)
      guard files[shard] != nil || FileManager.default.fileExists(atPath: place.path) else {
        throw FileError(
          .missing, file: folder.path, field: shard,
          problem: "the shard is missing, but \(index.lastPathComponent) lists it",
          remedy: "fetch the shard into the folder")
      }
      let file = try files[shard] ?? SafetensorsFile(place)
      files[shard] = file
      guard file.tensor(member.key) != nil else {
        throw FileError(
          .missing, file: file.path, field: member.key,
          problem: "the index lists the tensor in this shard, but it is not there",
          remedy: "fetch the index and the shards again")
      }
      location[member.key] = file
    }
    return (files, location)
  }
}

extension WeightName {
  /// The name of the weight's tensor in a Hugging Face folder.
  package var huggingFaceTensor: String { huggingFaceModule + ".weight" }

  /// The module's path in a Hugging Face model, such as `model.layers.0.self_attn.q_proj`.
  package var huggingFaceModule: String {
    switch self {
    case .tokenEmbedding: return "model.embed_tokens"
    case .finalNorm: return "model.norm"
    case .head: return "lm_head"
    case .attentionNorm(let layer): return "model.layers.\(layer).input_layernorm"
    case .query(let layer): return "model.layers.\(layer).self_attn.q_proj"
    case .key(let layer): return "model.layers.\(layer).self_attn.k_proj"
    case .value(let layer): return "model.layers.\(layer).self_attn.v_proj"
    case .attentionOutput(let layer): return "model.layers.\(layer).self_attn.o_proj"
    case .feedForwardNorm(let layer): return "model.layers.\(layer).post_attention_layernorm"
    case .gate(let layer): return "model.layers.\(layer).mlp.gate_proj"
    case .up(let layer): return "model.layers.\(layer).mlp.up_proj"
    case .down(let layer): return "model.layers.\(layer).mlp.down_proj"
    }
  }

  /// The weight of a module path such as `model.layers.0.self_attn.q_proj`; `nil` for an unknown path.
  package init?(huggingFaceModule path: String) {
    var candidates: [WeightName] = [.tokenEmbedding, .finalNorm, .head]
    let parts = path.split(separator: ".")
    if parts.count > 2, let layer = Int(parts[2]), layer >= 0 {
      candidates = WeightName.weights(ofLayer: layer)
    }
    guard let name = candidates.first(where: { $0.huggingFaceModule == path }) else { return nil }
    self = name
  }
}
