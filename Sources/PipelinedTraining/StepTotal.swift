/// The loss and the gradient norm of a step, combined from the shares of all stages.
struct StepTotal {
  /// The sum of -log p over the labels, and the gradient norm before clipping.
  typealias Value = (loss: Double, norm: Double)

  /// By stage after the first: its loss, then the squared norms of its modules' gradients.
  private var shares: [Int: [Double]] = [:]
  private var value: Value?

  /// Stores another stage's share.
  mutating func add(_ share: [Double], ofStage index: Int) { shares[index] = share }

  /// Stores the total that another stage has computed.
  mutating func set(_ value: Value) { self.value = value }

  /// The total. The first call computes it from this stage's own share and the others, in the order of the
  /// layers.
  mutating func join(_ own: @autoclosure () -> [Double]) -> Value {
    if let value { return value }
    let all = [own()] + shares.sorted { $0.key < $1.key }.map(\.value)
    let joined = (
      loss: all.reduce(0) { $0 + $1[0] }, norm: all.flatMap { $0.dropFirst() }.reduce(0, +).squareRoot()
    )
    (shares, value) = ([:], joined)
    return joined
  }

  /// Ends the step; `nil` if there was no total.
  mutating func end() -> Value? {
    defer { value = nil }
    return value
  }
}
