import Contexture

/// Answers one episode in two concurrent requests, as a server would, and prints the answers.
///
///     answers RUN TASK=QUESTION[|OPTION|OPTION…]... INPUT=TEXT...
///
/// RUN is the folder of a trained workflow. If the workflow file has a task's question, it can
/// be omitted.
@main
struct AnswersExample {
  static func main() async throws {
    let arguments = CommandLine.arguments.dropFirst()
    guard let run = arguments.first else { return print("answers RUN TASK=QUESTION... INPUT=TEXT...") }
    let workflow = try await TrainedWorkflow(contentsOf: run)

    var episode = Episode(inputs: [:])
    for argument in arguments.dropFirst() {
      let parts = argument.split(separator: "=", maxSplits: 1).map(String.init)
      guard parts.count == 2 else { continue }
      if workflow.tasks.contains(where: { $0.name == parts[0] }) {
        let texts = parts[1].split(separator: "|", omittingEmptySubsequences: false).map(String.init)
        // `nil` uses the workflow file's options.
        episode.questions[parts[0]] = Question(
          texts[0], options: texts.count > 1 ? Array(texts.dropFirst()) : nil)
      } else {
        episode.inputs[parts[0]] = parts[1]
      }
    }

    // A trained workflow may be used from any number of Swift tasks at once.
    let asked = episode
    async let first = workflow.answer(asked)
    async let second = workflow.answer(asked)
    do {
      let (answers, others) = try await (first, second)
      precondition(answers == others, "two requests with the same inputs gave different answers")
      for answer in answers { print("\(answer.task): \(answer.text) (probability \(answer.probability))") }
    } catch let error as RequestError {
      // A server would respond with status 400 here, and with 500 for any other error.
      if case .missingInput(let name, _) = error.problem { print("Add \(name)=TEXT.") }
      print("\(error)")
    }
  }
}
