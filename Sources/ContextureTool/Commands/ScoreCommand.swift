import ArgumentParser
import Checkpoint
import InputErrors
import LanguageModels
import Prompting
import Tensor
import Tokenization
import Workflows

struct ScoreCommand: ParsableCommand {
  enum Format: String, CaseIterable, ExpressibleByArgument { case table, json }

  static let configuration = CommandConfiguration(
    commandName: "score", abstract: "Prints a model's log-probabilities of a text.",
    discussion: """
      Prints the natural logarithm of each token's probability: of the prompt's tokens given the preceding \
      ones, and of each completion's tokens given the prompt; then the most probable next tokens. Use it to \
      check this program against others.

      The prompt and each completion are tokenised separately, not as one text: start a completion with the \
      space that belongs to it. The text of a special token, such as <|im_end|>, becomes that token. If the \
      model's tokenizer starts every text with a token, so does the prompt. With --chat, the prompt is a \
      user's message, put into the model's own chat template up to the start of the reply.

      EXAMPLE
        contexture score --model smollm2-135m --prompt "The capital of France is" \\
          --completion " Paris." --completion " Berlin."
        contexture score --model smollm2-135m --chat --prompt "Say hello."

      \(ExitStatus.manual)
      """)

  @Option(help: "A fetched model's name, a GGUF file, or a Hugging Face folder.")
  var model: String

  @Option(help: "The text to start from.")
  var prompt: String

  @Option(parsing: .singleValue, help: "A possible continuation. Repeatable.")
  var completion: [String] = []

  @Flag(help: "Treat the prompt as a user's message.")
  var chat = false

  @Option(help: "The number format of the weights; auto selects the one that this CPU computes fast.")
  var precision = Precision.auto

  @Option(help: "The number of most probable next tokens to show.")
  var top = 5

  @Option(help: "The output format.")
  var format = Format.table

  @OptionGroup var folder: ModelsFolder

  func run() throws {
    guard top >= 0 else {
      throw Refusal("--top", "\(top) is below 0", "give 0 or more")
    }
    let files = try ModelFiles.open(try ModelLocation(model, models: folder.models).path)
    let tokenizer = try ModelPrompts.tokenizer(files)
    let request = try ScoreRequest(
      prompt: promptTokens(files, tokenizer),
      continuations: completion.map { text throws(Refusal) in
        let tokens = tokenizer.encode(text)
        guard !tokens.isEmpty else {
          throw Refusal("--completion", "has no tokens", "give a text")
        }
        return tokens
      })
    try refuse(request, for: files.weights.configuration, files.path)
    let length = request.prompt.count + (request.continuations.map(\.count).max() ?? 0)
    let device = CPUDevice(computeType: precision.computeType)
    Console.noteEmulation(device.computeType)
    let llama = try LlamaModel(files.weights, device: device, contextLength: length, use: .forward)
    let report = try ScoreReport(
      path: files.path, request: request, texts: completion, top: top, model: llama, tokenizer: tokenizer)
    switch format {
    case .table: try Console.print(report.text)
    case .json: try Console.printJSON(report)
    }
  }

  private func promptTokens(_ files: ModelFiles, _ tokenizer: Tokenizer) throws -> [Int32] {
    var tokens: [Int32]
    if chat {
      let text = try ModelPrompts.prompt(prompt, for: files)
      tokens = tokenizer.encode(text)
    } else {
      tokens = tokenizer.prefix + tokenizer.encode(prompt)
    }
    guard !tokens.isEmpty else {
      throw Refusal("--prompt", "has no tokens", "give a text")
    }
    return tokens
  }

  private func refuse(
    _ request: ScoreRequest, for configuration: LlamaConfiguration, _ path: String
  ) throws(Refusal) {
    let tokens = request.prompt + request.continuations.flatMap(\.self)
    if let token = tokens.first(where: { $0 >= configuration.vocabularySize }) {
      throw Refusal(
        path,
        "the tokenizer gives token \(token), but the model has only \(configuration.vocabularySize) tokens",
        "the tokenizer and the weights belong to different models: fetch both again")
    }
    let longest = request.continuations.map(\.count).max() ?? 0
    guard request.prompt.count + longest <= configuration.contextLimit else {
      throw Refusal(
        longest == 0 ? "--prompt" : "--prompt, --completion",
        "\(request.prompt.count + longest) tokens exceed the context of \(path) "
          + "(\(configuration.contextLimit))",
        "shorten the text or use a model with a longer context")
    }
  }
}
