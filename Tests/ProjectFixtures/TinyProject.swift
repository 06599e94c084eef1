import Checkpoint
import Datasets
import Foundation
import SeededRandom
import TestSupport
import Workflows

/// A folder with a tiny random model, data and a workflow of three tasks: everything that a run needs, in
/// miniature.
package struct TinyProject {
  package let folder: URL
  /// The number of the model's layers.
  let layers: Int
  /// Whether the last task also answers by choosing an option, which a pipeline requires of parents with
  /// predicted answers; otherwise it answers in free text.
  let choosesOnly: Bool
  package var workflowFile: String { folder.appendingPathComponent("workflow.yaml").path }
  package var out: String { folder.appendingPathComponent("run").path }

  /// Creates the folder for the duration of `body`.
  package static func with<T>(
    layers: Int = 2, choosesOnly: Bool = false, _ body: (TinyProject) throws -> T
  ) throws -> T {
    try Fixtures.withTemporaryDirectory {
      try body(TinyProject(in: $0, layers: layers, choosesOnly: choosesOnly))
    }
  }

  /// Fills an empty folder.
  package init(in folder: URL, layers: Int = 2, choosesOnly: Bool = false) throws {
    (self.folder, self.layers, self.choosesOnly) = (folder, layers, choosesOnly)
    try writeModel()
    try writeData()
    try writeWorkflow()
  }

  package func workflow(_ overrides: String...) throws -> Workflow {
    try Workflow(contentsOf: workflowFile, overrides: overrides)
  }

  private func writeWorkflow() throws {
    let text = """
      name: tiny
      model: \(folder.appendingPathComponent("model").path)
      data: data
      tasks:
        - {name: colour, instruction: Name the colour., inputs: [scene]}
        - {name: mood, instruction: Name the mood., inputs: [scene], parents: [colour]}
        - {name: note, instruction: Write a note., parents: [colour, mood]}
      lora: {rank: 6, alpha: 4}
      training:
        batchSize: 4
        microBatchTokens: 96
        learningRate: 5e-3
        weightDecay: 0.01
        checkpointEvery: 2
        frozenRatio: 0.5
        blockStart: fresh
        validateEvery: 0
        precision: float32
      """
    try text.write(toFile: workflowFile, atomically: true, encoding: .utf8)
  }

  private func writeData() throws {
    var generator = SeededGenerator(seed: 5)
    let colours = ["red", "green", "blue"]
    let episodes = (0..<30).map { index in
      let colour = generator.below(3)
      let mood = (colour + index) % 2
      return Episode(
        id: "e\(index)", inputs: ["scene": "a \(colours[colour]) thing, number \(index)"],
        tasks: [
          "colour": TaskItem(question: "Which?", options: colours, answer: colour),
          "mood": TaskItem(question: "How?", options: ["calm", "wild"], answer: mood),
          "note": choosesOnly
            ? TaskItem(question: "What?", options: ["yes", "no", "no idea"], answer: (colour + mood) % 3)
            : TaskItem(question: "What?", answer: "\(colours[colour]) \(mood)"),
        ])
    }
    try DatasetFolder(path: folder.appendingPathComponent("data").path).write(
      DatasetSplits(
        train: Array(episodes[0..<14]), valid: Array(episodes[14..<20]), test: Array(episodes[20...])))
  }

  private func writeModel() throws {
    let model = folder.appendingPathComponent("model")
    try FileManager.default.createDirectory(at: model, withIntermediateDirectories: true)
    let tokenizer = try Data(contentsOf: Fixtures.url("tokenizer/gpt2.tokenizer.json"))
    try tokenizer.write(to: model.appendingPathComponent("tokenizer.json"))
    let names = try JSONSerialization.jsonObject(with: tokenizer) as? [String: Any]
    let vocabulary = ((names?["model"] as? [String: Any])?["vocab"] as? [String: Any])?.count ?? 0
    let added = (names?["added_tokens"] as? [Any])?.count ?? 0
    let size = vocabulary + added
    let end = ((names?["added_tokens"] as? [[String: Any]])?.first?["content"] as? String) ?? ""
    try """
    {% for m in messages %}<{{ m['role'] }}>{{ m['content'] }}\(end){% endfor %}\
    {% if add_generation_prompt %}<assistant>{% endif %}
    """.write(to: model.appendingPathComponent("chat_template.jinja"), atomically: true, encoding: .utf8)
    try """
    {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 32, "intermediate_size": 48,
     "num_hidden_layers": \(layers), "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": \(size),
     "max_position_embeddings": 256, "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "hidden_act": "silu",
     "tie_word_embeddings": true}
    """.write(to: model.appendingPathComponent("config.json"), atomically: true, encoding: .utf8)
    var generator = SeededGenerator(seed: 1)
    func random(_ name: String, _ shape: [Int], around mean: Float = 0) -> SafetensorsWriter.Tensor {
      let values = (0..<shape.reduce(1, *)).map { _ in mean + Float(generator.unit() - 0.5) * 0.3 }
      return SafetensorsWriter.Tensor(name: name, shape: shape, elements: .float32(values))
    }
    var tensors = [
      random("model.embed_tokens.weight", [size, 32]), random("model.norm.weight", [32], around: 1),
    ]
    for layer in 0..<layers {
      let path = "model.layers.\(layer)."
      tensors += [
        random(path + "input_layernorm.weight", [32], around: 1),
        random(path + "post_attention_layernorm.weight", [32], around: 1),
        random(path + "self_attn.q_proj.weight", [32, 32]),
        random(path + "self_attn.k_proj.weight", [16, 32]),
        random(path + "self_attn.v_proj.weight", [16, 32]),
        random(path + "self_attn.o_proj.weight", [32, 32]),
        random(path + "mlp.gate_proj.weight", [48, 32]), random(path + "mlp.up_proj.weight", [48, 32]),
        random(path + "mlp.down_proj.weight", [32, 48]),
      ]
    }
    try SafetensorsWriter.write(tensors, to: model.appendingPathComponent("model.safetensors"))
  }
}
