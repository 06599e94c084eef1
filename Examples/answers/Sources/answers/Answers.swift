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
      if workflow.workflow.tasks.contains(parts[0]) {
        let texts = parts[1].split(separator: "|", omittingEmptySubsequences: false).map(String.init)
        episode.questions[parts[0]] = Question(texts[0], options: Array(texts.dropFirst()))
      } else {
        episode.inputs[parts[0]] = parts[1]
      }
    }

    // Two requests at once: a trained workflow may be shared between any number of tasks.
    let asked = episode
    async let first = workflow.answer(asked)
    async let second = workflow.answer(asked)
    let (answers, others) = try await (first, second)
    precondition(answers == others, "two requests with the same inputs have different answers")
    for task in answers.tasks {
      print("\(task): \(answers[task].text) (probability \(answers[task].probability))")
    }
  }
}
