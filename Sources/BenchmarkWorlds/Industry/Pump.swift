import SeededRandom

/// A pump and its vibration, from a small physical model.
struct Pump {
  /// Shaft speed in revolutions per minute.
  let speed: Int
  /// The number of balls in a bearing.
  let balls: Int
  /// Ball diameter over pitch diameter, in percent.
  let ballRatio: Int
  /// The overall vibration velocity in hundredths of mm/s (root mean square).
  let level: Int
  /// Its growth per week in percent.
  let growth: Int
  /// The temperature of the hotter bearing in °C.
  let temperature: Int
  /// The velocity of the part of the spectrum that belongs to each fault, in hundredths of mm/s.
  let lines: [Fault: Int]

  /// A pump with `fault`, whose vibration grows at the rate of `trend`.
  init(_ fault: Fault, _ trend: Growth, from generator: inout SeededGenerator) {
    // Asynchronous motors with 2, 4 and 6 poles at 50 Hz turn a little slower than 3000, 1500 and 1000.
    speed = generator.pick([3000, 1500, 1000]) - 5 - generator.below(40)
    balls = 7 + generator.below(4)
    ballRatio = 18 + generator.below(9)
    level = 252 + generator.below(52)
    growth =
      switch trend {
      case .slow: 8 + generator.below(5)
      case .steady: 32 + generator.below(8)
      case .steep: 100 + generator.below(20)
      }
    temperature = fault == .lubrication ? 78 + generator.below(15) : 44 + generator.below(14)
    var lines: [Fault: Int] = [:]
    var rest = level * level
    // Every pump has a little of everything; the fault makes up the rest of the overall level.
    for other in Fault.allCases where other != fault {
      let velocity = 12 + generator.below(36)
      lines[other] = velocity
      rest -= velocity * velocity
    }
    lines[fault] = Int(Double(rest).squareRoot())
    self.lines = lines
  }

  /// The frequency, in hundredths of the shaft's, at which balls pass a defect of the outer ring, which stands still
  /// (contact angle 0): half the balls, times 1 minus the ratio of the diameters.
  var outerRaceOrder: Int { balls * (100 - ballRatio) / 2 }

  /// The same for a defect of the inner ring, which turns: 1 plus the ratio.
  var innerRaceOrder: Int { balls * (100 + ballRatio) / 2 }
}
