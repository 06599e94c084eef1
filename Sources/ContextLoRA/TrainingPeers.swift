import LanguageModels

/// The processes that train together. Each holds a contiguous range of the model's layers and runs the same
/// trainer over the same samples; what they exchange besides activations and gradients is here.
public protocol TrainingPeers: AnyObject {
  /// Whether this process writes the run's files.
  var writes: Bool { get }

  /// What computes the gradients of this process's layers.
  func gradientEngine(_ stage: LlamaStage, adapter: AdapterView, rows: Int) -> any GradientComputing

  /// Adds the losses of all processes and joins their squared norms in the order of the layers.
  ///
  /// - Throws: the transport's errors.
  func combine(_ own: StepShare) throws -> StepShare

  /// What the process that writes has decided, for all.
  ///
  /// - Throws: the transport's errors.
  func agree(stop: Bool) throws -> Bool

  /// The checkpoint of all layers, from everybody's part; `nil` in processes that do not write.
  ///
  /// - Throws: the transport's errors.
  func collect(_ part: TrainingCheckpoint) throws -> TrainingCheckpoint?
}

/// What one process knows of an optimiser step before the update.
public struct StepShare: Sendable, Equatable {
  /// The sum of -log p over the targets.
  public var loss: Double
  /// The squared Euclidean norm of the gradient of each adapted layer.
  public var squaredNorms: [Double]

  /// Takes the parts.
  public init(loss: Double, squaredNorms: [Double]) {
    self.loss = loss
    self.squaredNorms = squaredNorms
  }
}

/// One process that holds all layers.
public final class SingleProcess: TrainingPeers {
  /// Nobody else.
  public init() {}

  /// Always.
  public var writes: Bool { true }

  /// One micro-batch a worker.
  public func gradientEngine(
    _ stage: LlamaStage, adapter: AdapterView, rows: Int
  ) -> any GradientComputing { GradientEngine(stage, adapter: adapter, rows: rows) }

  /// What this process found.
  public func combine(_ own: StepShare) -> StepShare { own }

  /// What this process wants.
  public func agree(stop: Bool) -> Bool { stop }

  /// The part is the whole.
  public func collect(_ part: TrainingCheckpoint) -> TrainingCheckpoint? { part }
}
