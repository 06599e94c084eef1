import Foundation
import SafeFiles
import StrictJSON

/// A LoRA adapter as a folder that PEFT loads.
///
/// | here | PEFT |
/// |---|---|
/// | files | `adapter_config.json`, `adapter_model.safetensors`, `README.md` (the model card) |
/// | path `model.layers.0.self_attn.q_proj` | `base_model.model.<path>.lora_A.weight`, `.lora_B.weight` |
/// | A `[r, in]` | `lora_A.weight` `[r, in]`, float32 |
/// | B `[out, r]` | `lora_B.weight` `[out, r]`, float32 |
/// | scale | `lora_alpha / r`; with `use_rslora`, `lora_alpha / √r` |
/// | r' of r columns | `r = r'`, `lora_alpha = alpha · r' / r` (with `use_rslora`: `alpha · √(r' / r)`) |
/// | base model | `base_model_name_or_path`; the model card explains how to load it |
/// | adapted modules | `target_modules`: last path components, or whole paths if the layers differ |
/// | adapted layers, if not all from 0 | `layers_to_transform`, with `layers_pattern` `layers` |
package struct PEFTAdapter: Sendable {
  /// The adapted layers, all with rank `rank`.
  package var modules: [AdapterModule]
  /// The rank r' of every module.
  package var rank: Int
  /// `lora_alpha`, already scaled to r' (see the table).
  package var alpha: Double
  /// Whether the scale is `alpha / √rank`.
  package var isRankStabilized: Bool
  /// The base model's Hugging Face id or its folder, for `base_model_name_or_path`.
  package var baseModel: String
  /// The GGUF file in that folder that contains the base model; `nil` if the model is in Hugging Face's
  /// format.
  package var ggufFile: String?
  /// The paragraphs of the model card after its heading, in Markdown.
  package var card: String
  /// A licence identifier for the model card, such as `apache-2.0`.
  package var license: String?

  /// - Precondition: there is at least one module, and all modules have the rank `rank`.
  package init(
    modules: [AdapterModule], rank: Int, alpha: Double, isRankStabilized: Bool = false, baseModel: String,
    ggufFile: String? = nil, card: String = "", license: String? = nil
  ) {
    precondition(
      !modules.isEmpty && modules.allSatisfy { $0.rank == rank }, "all pairs must have rank \(rank)")
    self.modules = modules
    self.rank = rank
    self.alpha = alpha
    self.isRankStabilized = isRankStabilized
    self.baseModel = baseModel
    self.ggufFile = ggufFile
    self.card = card
    self.license = license
  }

  /// The alpha with which r' of r columns keep the scale that they have among all r.
  package static func alpha(
    _ alpha: Double, ofRank rank: Int, forRank part: Int, isRankStabilized: Bool = false
  ) -> Double {
    let ratio = Double(part) / Double(rank)
    return alpha * (isRankStabilized ? ratio.squareRoot() : ratio)
  }

  /// Writes the folder atomically. It must be absent or empty.
  ///
  /// - Throws: `FileError` if the folder is not empty or the system reports an error.
  package func write(to folder: URL) throws {
    try AtomicFolder.write(to: folder) { folder in
      try AtomicFile.write(
        configuration.encoded(indent: 2) + "\n",
        to: folder.appendingPathComponent(PEFTFolder.configurationName))
      try SafetensorsWriter.write(
        tensors, metadata: ["format": "pt"],
        to: folder.appendingPathComponent(PEFTFolder.weightsName))
      try AtomicFile.write(modelCard, to: folder.appendingPathComponent("README.md"))
    }
  }

  private var tensors: [SafetensorsWriter.Tensor] {
    modules.flatMap { module in
      let prefix = PEFTFolder.keyPrefix + module.path
      return [
        SafetensorsWriter.Tensor(
          name: "\(prefix).lora_A.weight", shape: [module.rank, module.inputs], elements: .float32(module.a)),
        SafetensorsWriter.Tensor(
          name: "\(prefix).lora_B.weight", shape: [module.outputs, module.rank], elements: .float32(module.b)),
      ]
    }
  }

  private var configuration: JSONValue {
    let alphaValue = Int(exactly: alpha).map(JSONValue.integer) ?? .number(alpha)
    return .sorted([
      "alpha_pattern": .object([]), "base_model_name_or_path": .string(baseModel), "bias": .string("none"),
      "fan_in_fan_out": .bool(false), "inference_mode": .bool(true), "init_lora_weights": .bool(true),
      "lora_alpha": alphaValue, "lora_dropout": .number(0), "modules_to_save": .null,
      "peft_type": .string("LORA"), "r": .integer(rank), "rank_pattern": .object([]),
      "target_modules": .array(targets.modules.map { .string($0) }), "task_type": .string("CAUSAL_LM"),
      "use_dora": .bool(false), "use_rslora": .bool(isRankStabilized),
      "layers_to_transform": targets.layers.map { .array($0.map { .integer($0) }) } ?? .null,
      "layers_pattern": targets.layers == nil ? .null : .string(PEFTFolder.layersPattern),
    ])
  }

  /// What PEFT is told to adapt.
  private struct Targets {
    /// Last path components, or whole paths.
    var modules: [String]
    /// The layers in which the components are adapted; `nil` for all.
    var layers: [Int]?
  }

  /// The last path components if all of them are adapted in the same layers, otherwise whole paths. PEFT adapts
  /// a component in every layer unless it is told in which ones.
  private var targets: Targets {
    let whole = Targets(modules: modules.map(\.path).sorted())
    let prefix = "model.\(PEFTFolder.layersPattern)."
    var layersOf: [String: Set<Int>] = [:]
    for module in modules {
      guard module.path.hasPrefix(prefix) else { return whole }
      let parts = module.path.dropFirst(prefix.count).split(separator: ".")
      guard parts.count > 1, let layer = Int(parts[0]), let last = parts.last else { return whole }
      layersOf[String(last), default: []].insert(layer)
    }
    guard let layers = layersOf.values.first, layersOf.values.allSatisfy({ $0 == layers }),
      modules.count == layersOf.count * layers.count
    else { return whole }
    let isAll = layers == Set(0..<layers.count)
    return Targets(modules: layersOf.keys.sorted(), layers: isAll ? nil : layers.sorted())
  }

  /// The adapted layers, if they are not all.
  private var layersText: String {
    guard let layers = targets.layers, let first = layers.first, let last = layers.last else { return "" }
    let isRange = layers == Array(first...last)
    return " in layers " + (isRange ? "\(first)–\(last)" : layers.map(String.init).joined(separator: ", "))
  }

  private var modelCard: String {
    let name = JSONValue.string(baseModel).encoded()
    let file = ggufFile.map { ", gguf_file=\(JSONValue.string($0).encoded())" } ?? ""
    var front = ["---", "base_model: \(name)", "library_name: peft"]
    if let license { front.append("license: \(license)") }
    front += ["pipeline_tag: text-generation", "tags:", "- lora", "---"]
    let scale = alpha / (isRankStabilized ? Double(rank).squareRoot() : Double(rank))
    let body = """

      # LoRA adapter for \(baseModel)\(ggufFile.map { "/\($0)" } ?? "")

      | | |
      |---|---|
      | rank | \(rank) |
      | alpha | \(alpha) |
      | scale of the product B A | \(scale) |
      | adapted modules | \(modules.count): \(targets.modules.prefix(7).joined(separator: ", "))\
      \(targets.modules.count > 7 ? " …" : "")\(layersText) |

      ```python
      from peft import PeftModel
      from transformers import AutoModelForCausalLM

      model = AutoModelForCausalLM.from_pretrained(\(name)\(file))
      model = PeftModel.from_pretrained(model, "path/to/this/folder")
      ```

      """
    return front.joined(separator: "\n") + "\n" + body + (card.isEmpty ? "" : "\n\(card)\n")
  }
}
