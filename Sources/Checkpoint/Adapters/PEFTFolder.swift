import Foundation
import SafeFiles
import StrictJSON

/// A LoRA adapter read from a PEFT folder: its matrices, and the modules and scale with which PEFT would
/// apply them. ``PEFTAdapter`` describes the format.
package struct PEFTFolder: ExportedAdapter, Equatable {
  /// The adapted layers in the order of their paths, all with rank ``rank``. The values are those of the file
  /// and may be infinite or NaN.
  package let modules: [AdapterModule]
  package let rank: Int
  /// The factor of B A: `lora_alpha / r`, or `lora_alpha / √r` with `use_rslora`.
  package let scale: Double
  /// The field `target_modules`: whole module paths or suffixes of paths.
  package let targetModules: [String]
  /// The field `layers_to_transform`: the layers in which suffixes of paths are adapted; `nil` for all.
  package let layers: [Int]?
  /// The field `layers_pattern`: the path component before a layer's number; empty for any.
  package let layerPatterns: [String]

  /// The path component before a layer's number in Llama models.
  static let layersPattern = "layers"
  /// The file that contains the settings.
  static let configurationName = "adapter_config.json"
  /// The file that contains the matrices.
  static let weightsName = "adapter_model.safetensors"
  /// The prefix of the matrices' keys.
  static let keyPrefix = "base_model.model."

  /// Reads a folder.
  ///
  /// - Throws: `FileError` with the file and field if it is missing, damaged, or uses anything other than
  ///   plain LoRA with one rank for all modules.
  package init(_ folder: URL) throws {
    let url = folder.appendingPathComponent(Self.configurationName)
    let settings = try JSONParser.parse(MappedFile(url))
    func refuse(_ field: String, _ problem: String) -> FileError {
      FileError(
        .malformed, file: url.path, field: field, problem: problem,
        remedy: "give the folder of a plain LoRA adapter, or export it again")
    }
    guard settings["peft_type"]?.string == "LORA" else { throw refuse("peft_type", "is not LORA") }
    guard let rank = settings["r"]?.integer, rank > 0 else {
      throw refuse("r", "is not a whole number above 0")
    }
    guard let alpha = settings["lora_alpha"]?.number, alpha.isFinite else {
      throw refuse("lora_alpha", "is not a number")
    }
    guard let targets = settings["target_modules"]?.array, !targets.isEmpty,
      targets.allSatisfy({ $0.string?.isEmpty == false })
    else { throw refuse("target_modules", "is not a list of module names") }
    for field in ["use_dora", "fan_in_fan_out"] where settings[field]?.bool ?? false {
      throw refuse(field, "is not supported")
    }
    for field in ["rank_pattern", "alpha_pattern"] where settings[field]?.members?.isEmpty == false {
      throw refuse(field, "is not supported: it gives modules their own rank or alpha")
    }
    guard settings["bias"].map({ $0.string == "none" }) ?? true else {
      throw refuse("bias", "is not supported")
    }
    self.rank = rank
    targetModules = targets.compactMap(\.string)
    /// A single value, or a list; PEFT takes both, and an empty list for none.
    func values<T>(_ field: String, _ what: String, _ convert: (JSONValue) -> T?) throws -> [T] {
      guard let value = settings[field] else { return [] }
      let given = value.array ?? [value]
      let converted = given.compactMap(convert)
      guard converted.count == given.count else { throw refuse(field, "is not \(what)") }
      return converted
    }
    let layers = try values("layers_to_transform", "a list of layers", \.integer)
    self.layers = layers.isEmpty ? nil : layers
    layerPatterns = try values("layers_pattern", "a name of layers", \.string).filter { !$0.isEmpty }
    scale = alpha / (settings["use_rslora"]?.bool ?? false ? Double(rank).squareRoot() : Double(rank))
    modules = try Self.modules(
      SafetensorsFile(folder.appendingPathComponent(Self.weightsName)), rank: rank)
    for module in modules where !adapts(module.path) {
      throw refuse(
        "target_modules", "does not name \(module.path), which has A and B: PEFT would ignore it")
    }
  }

  /// Whether PEFT adapts the linear layer at a module path.
  package func adapts(_ path: String) -> Bool {
    if targetModules.contains(path) { return true }
    guard targetModules.contains(where: { path.hasSuffix("." + $0) }) else { return false }
    guard let layers else { return true }
    return layer(of: path).map(layers.contains) ?? false
  }

  /// The layer in a module path, as PEFT finds it: the last number, before another component, that follows a
  /// layer pattern.
  private func layer(of path: String) -> Int? {
    let parts = path.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count > 3 else { return nil }
    for index in (2..<parts.count - 1).reversed() {
      let pattern = String(parts[index - 1])
      guard layerPatterns.isEmpty || layerPatterns.contains(pattern) else { continue }
      if let layer = Int(parts[index]) { return layer }
    }
    return nil
  }

  /// Reads the matrices from a file that must not contain anything else.
  private static func modules(_ file: SafetensorsFile, rank: Int) throws -> [AdapterModule] {
    func refuse(_ name: String, _ problem: String) -> FileError {
      FileError(
        .malformed, file: file.path, field: name, problem: problem,
        remedy: "give the folder of a plain LoRA adapter of one rank, or export it again")
    }
    var paths: [String] = []
    for name in file.names {
      guard name.hasPrefix(keyPrefix),
        let end = [".lora_A.weight", ".lora_B.weight"].first(where: name.hasSuffix)
      else { throw refuse(name, "is not A or B of a linear layer") }
      if end == ".lora_A.weight" { paths.append(String(name.dropFirst(keyPrefix.count).dropLast(end.count))) }
    }
    guard !paths.isEmpty, file.names.count == 2 * paths.count else {
      throw refuse("lora_A.weight", "there is not one A for each B")
    }
    return try paths.map { path in
      let names = [keyPrefix + path + ".lora_A.weight", keyPrefix + path + ".lora_B.weight"]
      let (a, b) = (try file.require(names[0]), try file.require(names[1]))
      guard a.shape.count == 2, a.shape[0] == rank, a.shape[1] > 0 else {
        throw refuse(a.name, "has the shape \(a.shape), not \(rank) rows of the layer's inputs")
      }
      guard b.shape.count == 2, b.shape[1] == rank, b.shape[0] > 0 else {
        throw refuse(b.name, "has the shape \(b.shape), not \(rank) columns for each of the layer's outputs")
      }
      return AdapterModule(
        path: path, rank: rank, inputs: a.shape[1], outputs: b.shape[0], a: try file.float32(a.name),
        b: try file.float32(b.name))
    }
  }
}
