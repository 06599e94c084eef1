import Contexture

/// Answers one episode from several tasks at once, as the requests of a server would, and shows the answers.
///
///     answers RUN TASK=QUESTION[|OPTION|OPTION…]... INPUT=TEXT...
///
/// RUN is the folder of a trained workflow. A question can be left out where the workflow file has it.
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
        // Without options, those of the workflow file.
        episode.questions[parts[0]] = Question(
          texts[0], options: texts.count > 1 ? Array(texts.dropFirst()) : nil)
      } else {
        episode.inputs[parts[0]] = parts[1]
      }
    }

    // Two requests at once: a trained workflow may be shared between any number of tasks.
    let asked = episode
    async let first = workflow.answer(asked)
    async let second = workflow.answer(asked)
    do {
      let (answers, others) = try await (first, second)
      precondition(answers == others, "two requests with the same inputs have different answers")
      for answer in answers { print("\(answer.task): \(answer.text) (probability \(answer.probability))") }
    } catch let error as RequestError {
      // A server answers with status 400; any other error is its own, 500.
      if case .missingInput(let name, _) = error.problem { print("Add \(name)=TEXT.") }
      print("\(error)")
    }
  }
}
