import ContextLoRA
import Transport

/// Sends the outcome of each step from the first stage of `D_t` to rank 0, which writes the run's files.
struct StepReports {
  private let link: StageLink
  private let leader: Int
  private var left: Int
  private var coming: (transfer: Transfer, buffer: MessageBuffer)?

  /// Expects `count` reports from another rank.
  init(_ link: StageLink, from leader: Int, count: Int) {
    (self.link, self.leader, left) = (link, leader, count)
    post()
  }

  private mutating func post() {
    coming = nil
    guard left > 0 else { return }
    let buffer = MessageBuffer(count: 48)
    coming = (
      link.transport.receive(into: buffer, from: leader, tag: StageLink.Control.report.tag), buffer
    )
  }

  /// The reports received so far; with `all`, waits for all remaining ones.
  ///
  /// - Throws: the transport's errors.
  mutating func take(all: Bool) throws -> [StepOutcome] {
    var outcomes: [StepOutcome] = []
    while let (transfer, buffer) = coming, all || transfer.isEnded {
      try transfer.wait(timeout: link.timeout)
      let values = Plain.values(buffer.bytes, as: Double.self)
      guard let step = Int(exactly: values[0]), let tokens = Int(exactly: values[3]),
        let targets = Int(exactly: values[4]), min(step, tokens, targets) >= 0,
        max(step, tokens, targets) < 1 << 40
      else {
        throw link.transport.invalid("a step's report", from: leader, "it has numbers that no step has")
      }
      outcomes.append(
        StepOutcome(
          step: step, loss: values[1], gradientNorm: values[2], tokens: tokens, targets: targets,
          seconds: values[5]))
      left -= 1
      post()
    }
    return outcomes
  }

  /// Sends a report to rank 0.
  static func send(_ outcome: StepOutcome, _ link: StageLink) -> Transfer {
    link.transport.send(
      MessageBuffer(
        Plain.bytes([
          Double(outcome.step), outcome.loss, outcome.gradientNorm, Double(outcome.tokens),
          Double(outcome.targets), outcome.seconds,
        ])), to: 0, tag: StageLink.Control.report.tag)
  }
}
