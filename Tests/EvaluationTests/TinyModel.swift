import Checkpoint
import Datasets
import Evaluation
import LanguageModels
import Prompting
import SeededRandom
import Tensor
import TestSupport
import Tokenization
import Workflows

/// A random Llama with 101 tokens for single ASCII characters, and a workflow of short words for it: `a`
/// feeds `b`, both feed `c`; `f` answers in free text and reads `a`.
struct TinyModel {
  let model: LlamaModel
  let workflow: Workflow
  let prompts: PromptRenderer

  init(answerForm: String = "letterText") throws {
    model = try LlamaModel(
      ModelFiles.open(Fixtures.url("logits/gqa-untied").path).weights,
      device: CPUDevice(computeType: .float32))
    workflow = try Workflow(
      yaml: """
        name: tiny
        model: tiny
        data: data
        tasks:
          - {name: a, instruction: Q, inputs: [s]}
          - {name: b, instruction: R, inputs: [s], parents: [a]}
          - {name: c, instruction: S, parents: [a, b]}
          - {name: f, instruction: T, inputs: [s], parents: [a]}
        lora: {rank: 8, alpha: 8}
        training: {answerForm: \(answerForm)}
        """, file: "tiny.yaml")
    // Token 0 ends a turn; then come line break and printable ASCII in the byte-level alphabet, then unused
    // tokens.
    let ascii = (33...126).map { String(UnicodeScalar(UInt8($0))) }
    let tokens = ["<e>", "\u{10A}", "\u{120}"] + ascii + (0..<4).map { "<u\($0)>" }
    let tokenizer = try Tokenizer(
      BPESpecification(
        tokens: tokens, merges: [],
        tokenTypes: tokens.map { $0.count > 1 ? 3 : 1 }, preTokenizer: "gpt-2", endOfSequence: 0))
    prompts = try PromptRenderer(
      workflow: workflow, tokenizer: tokenizer,
      template: ChatTemplate(
        source: "{% for m in messages %}{{ '>' if m.role == 'assistant' }}{{ m.content }}<e>{% endfor %}"
          + "{% if add_generation_prompt %}>{% endif %}"), specialTokens: [:],
      contextLength: model.contextLength, vocabularySize: model.configuration.vocabularySize)
  }

  func predictor(maximumAnswerTokens: Int = 6) -> AnswerPredictor {
    AnswerPredictor(model, prompts: prompts, maximumAnswerTokens: maximumAnswerTokens)
  }

  /// An adapter that changes the model's answers; each task of the workflow owns two of its columns.
  func adapter() -> LoRAAdapter {
    let modules = TargetModule.all(
      model.configuration, layers: model.stage.layers, targets: Set(Projection.allCases))
    var adapter = LoRAAdapter(modules: modules, rank: 8, scale: 1, seed: 3)
    var generator = SeededGenerator(seed: 11)
    for module in adapter.pairs.indices {
      for index in adapter.pairs[module].b.indices {
        adapter.pairs[module].b[index] = Float(generator.unit() - 0.5)
      }
    }
    return adapter
  }

  func view(_ adapter: LoRAAdapter, _ columns: [Int]) -> DeviceAdapter {
    DeviceAdapter(
      adapter, columns: .inference(columns), configuration: model.configuration, device: model.device)
  }

  /// Episodes of random letters; the gold answers are the first options.
  static func episodes(_ count: Int, seed: UInt64 = 1) -> [Episode] {
    var generator = SeededGenerator(seed: seed)
    let words = ["no", "yes", "hm", "go", "up", "left"]
    return (0..<count).map { number in
      func item() -> TaskItem {
        let start = generator.below(words.count)
        return TaskItem(
          question: "?", options: (0..<3).map { words[(start + $0) % words.count] }, answer: 0)
      }
      let scene = (0..<6).map { _ in String(UnicodeScalar(UInt8(97 + generator.below(26)))) }.joined()
      return Episode(
        id: "e\(number)", inputs: ["s": scene],
        tasks: ["a": item(), "b": item(), "c": item(), "f": TaskItem(question: "?", answer: "x")])
    }
  }
}
