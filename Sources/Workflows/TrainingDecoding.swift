import InputErrors
import StrictYAML
import TaskGraph

extension Workflow.LoRA {
  static let fields = ["rank", "alpha", "rankStabilized", "targets", "firstLayer"]

  /// Decodes the `lora` mapping.
  ///
  /// - Parameters:
  ///   - rank: the total rank, which also depends on the tasks.
  ///   - tasks: the number of tasks.
  init(_ fields: StrictFields, rank: Int, tasks: Int) throws(FieldError) {
    (self.rank, taskCount) = (rank, tasks)
    alpha =
      try fields["alpha"]?.number("not above 0", "use a finite number above 0, such as 32") { $0 > 0 } ?? 32
    rankStabilized = try fields["rankStabilized"]?.boolean() ?? false
    targets = try fields["targets"].map(Self.targets) ?? Projection.allCases
    firstLayer = try fields["firstLayer"]?.integer(0...Self.mostLayers) ?? 0
  }

  /// No model has more layers. Whether the model has this layer is checked when the model is opened.
  private static let mostLayers = 1_000_000

  private static func targets(_ field: Field) throws(FieldError) -> [Projection] {
    let items = try field.list("[q_proj, v_proj]")
    guard !items.isEmpty else {
      let all = Projection.allCases.map(\.rawValue).joined(separator: ", ")
      throw field.error("is empty, so nothing would train", "list some of: \(all), or remove the line")
    }
    var chosen: [Projection] = []
    for item in items {
      let projection = try item.choice(Projection.self)
      guard !chosen.contains(projection) else {
        throw item.error("'\(projection.rawValue)' is listed twice", "list it once")
      }
      chosen.append(projection)
    }
    return Projection.allCases.filter(chosen.contains)
  }
}

extension Workflow.Training {
  static let fields = [
    "rounds", "epochs", "steps", "maxSteps", "batchSize", "microBatchTokens", "microBatchSamples",
    "prerequisites",
    "frozenRatio",
    "adaptive",
    "freeze", "blockStart", "parentAnswers", "staleness", "answerForm", "learningRate", "schedule", "warmup",
    "cooldown", "validateEvery", "validationEpisodes", "patience", "budget",
    "minimumRateRatio", "weightDecay", "betas", "epsilon", "clipNorm", "checkpointEvery", "seed", "precision",
  ]

  /// The upper limit on a number of steps, tokens or epochs.
  static let maximumCount = 1_000_000_000
  /// The upper limit on `batchSize`: plans consider every sample of a step.
  private static let maximumBatchSize = 65_536
  /// The upper limit on `staleness`: the trained columns of so many steps are kept in memory.
  private static let maximumStaleness = 1000

  /// Decodes the `training` mapping; missing fields get their defaults.
  init(_ fields: StrictFields) throws(FieldError) {
    func count(
      _ key: String, from lowest: Int = 1, to highest: Int = Self.maximumCount, default value: Int
    ) throws(FieldError) -> Int {
      try fields[key]?.integer(lowest...highest) ?? value
    }
    func share(_ key: String, _ remedy: String, default value: Double) throws(FieldError) -> Double {
      try fields[key]?.share(remedy) ?? value
    }
    func positive(_ key: String, default value: Double) throws(FieldError) -> Double {
      try fields[key]?.number("not above 0", "use a finite number above 0, such as \(value)") { $0 > 0 }
        ?? value
    }
    rounds = try fields["rounds"]?.integer(1...PhaseSchedule.maximumRounds) ?? 1
    epochs = try count("epochs", default: 1)
    func optionalCount(_ key: String) throws(FieldError) -> Int? {
      try fields[key].flatMap { field throws(FieldError) in
        field.node.isNull ? nil : try field.integer(1...Self.maximumCount)
      }
    }
    steps = try optionalCount("steps")
    maxSteps = try optionalCount("maxSteps")
    /// A count that 0 or null switches off.
    func switchable(_ key: String, default value: Int) throws(FieldError) -> Int? {
      guard let field = fields[key] else { return value }
      let count = field.node.isNull ? 0 : try field.integer(0...Self.maximumCount)
      return count == 0 ? nil : count
    }
    validateEvery = try switchable("validateEvery", default: 25)
    validationEpisodes = try count("validationEpisodes", default: 64)
    patience = try switchable("patience", default: 4)
    budget = try Self.budget(fields)
    cooldown =
      try fields["cooldown"]?.number("outside 0...0.9", "give a share of a phase's steps, such as 0.2") {
        (0...0.9).contains($0)
      } ?? 0.2
    batchSize = try count("batchSize", to: Self.maximumBatchSize, default: 16)
    microBatchTokens = try count("microBatchTokens", default: 256)
    microBatchSamples = try optionalCount("microBatchSamples")
    prerequisites = try fields["prerequisites"]?.choice() ?? .ancestors
    frozenRatio = try Self.frozenRatio(fields)
    freeze = try fields["freeze"]?.choice() ?? .leading
    blockStart = try fields["blockStart"]?.choice() ?? .base
    parentAnswers = try fields["parentAnswers"].map(Self.parentAnswers) ?? .gold
    staleness = try count("staleness", from: 0, to: Self.maximumStaleness, default: 1)
    answerForm = try fields["answerForm"]?.choice() ?? .letterText
    learningRate = try positive("learningRate", default: 1e-3)
    schedule = try fields["schedule"]?.choice() ?? .wsd
    warmup = try share("warmup", "give a share of a phase's steps, such as 0.05", default: 0.05)
    minimumRateRatio = try share(
      "minimumRateRatio", "give a share of the learning rate, such as 0.1", default: 0.1)
    weightDecay =
      try fields["weightDecay"]?.number("below 0", "use a finite number, 0 or above") { $0 >= 0 } ?? 0
    (beta1, beta2) = try fields["betas"].map(Self.betas) ?? (0.9, 0.999)
    epsilon = try positive("epsilon", default: 1e-8)
    clipNorm = try fields["clipNorm"].map(Self.clipNorm) ?? 1
    checkpointEvery = try count("checkpointEvery", default: 50)
    seed = try fields["seed"]?.integer(0...Int.max) ?? 0
    precision = try fields["precision"]?.choice() ?? .auto
  }

  private static func budget(_ fields: StrictFields) throws(FieldError) -> Budget {
    let own = try fields.mapping("budget", known: ["steps", "tokens", "minutes"])
    func count(_ key: String) throws(FieldError) -> Int? {
      try own[key].flatMap { field throws(FieldError) in
        field.node.isNull ? nil : try field.integer(1...maximumCount)
      }
    }
    let minutes = try own["minutes"].flatMap { field throws(FieldError) -> Double? in
      field.node.isNull
        ? nil : try field.number("not above 0", "use a finite number above 0, such as 30") { $0 > 0 }
    }
    return Budget(steps: try count("steps"), tokens: try count("tokens"), minutes: minutes)
  }

  private static func frozenRatio(_ fields: StrictFields) throws(FieldError) -> FrozenRatio {
    // Checked even if the ratio is fixed, so that a later override does not uncover an error.
    let adaptive = try fields.mapping("adaptive", known: ["initial", "tolerance"])
    let remedy = "give a share between 0 (refine all prerequisite columns) and 1 (freeze all)"
    let initial = try adaptive["initial"]?.share(remedy) ?? 0.5
    let tolerance =
      try adaptive["tolerance"]?.number("below 0", "use 0 or a small positive share, such as 0.05") {
        $0 >= 0
      }
      ?? 0.05
    guard let field = fields["frozenRatio"] else { return .fixed(1) }
    if field.node.text == "adaptive" { return .adaptive(initial: initial, tolerance: tolerance) }
    return .fixed(try field.share(remedy + ", or the word adaptive"))
  }

  private static func parentAnswers(_ field: Field) throws(FieldError) -> ParentAnswers {
    let forms = "use gold, predicted, or mixed(p) with a share p in 0...1, such as mixed(0.5)"
    guard let text = field.node.text else {
      throw field.error("expected a word, found \(field.node.kind)", forms)
    }
    switch text {
    case "gold": return .gold
    case "predicted": return .predicted
    default:
      guard text.hasPrefix("mixed("), text.hasSuffix(")"),
        let share = Field.number(trimmed(text.dropFirst("mixed(".count).dropLast()))
      else {
        throw field.error(
          "'\(text)' is not known",
          nearestName(to: text, in: ["gold", "predicted"]).map { "did you mean '\($0)'?" } ?? forms)
      }
      guard (0...1).contains(share) else {
        throw field.error("the share in '\(text)' is outside 0...1", forms)
      }
      return .mixed(share == 0 ? 0 : share)
    }
  }

  private static func betas(_ field: Field) throws(FieldError) -> (Double, Double) {
    let items = try field.list("[0.9, 0.999]")
    guard items.count == 2 else {
      throw field.error("expected two numbers, found \(items.count)", "give both, as in [0.9, 0.999]")
    }
    func beta(_ item: Field) throws(FieldError) -> Double {
      try item.number("outside 0..<1", "use a number from 0 to below 1") { (0..<1).contains($0) }
    }
    return (try beta(items[0]), try beta(items[1]))
  }

  private static func clipNorm(_ field: Field) throws(FieldError) -> Double? {
    if field.node.isNull { return nil }
    let norm = try field.number("below 0", "use a finite number above 0, or 0 to disable clipping") {
      $0 >= 0
    }
    return norm == 0 ? nil : norm
  }
}
