import ContextLoRA
import Foundation
import LanguageModels

/// A checkpoint, or a rank's part of one, as bytes: the length of a JSON header, the header, then in float32
/// the pairs of the adapted layers (A before B), the moments, the history and the best state.
enum CheckpointMessage {
  private struct Header: Codable {
    var position: TrainingCheckpoint.Position
    var rank: Int
    var scale: Float
    /// The optimiser's step; `nil` between phases.
    var step: Int?
    var history: Int
    var hasBest: Bool
  }

  static func bytes(_ part: TrainingCheckpoint) throws -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys]
    let header = try encoder.encode(
      Header(
        position: part.position, rank: part.adapter.rank, scale: part.adapter.scale,
        step: part.optimizer?.step, history: part.history.count, hasBest: part.best != nil))
    var vectors = part.adapter.pairs.flatMap { [$0.a, $0.b] }
    if let optimizer = part.optimizer { vectors += [optimizer.firstMoment, optimizer.secondMoment] }
    vectors += part.history
    if let best = part.best { vectors.append(best) }
    var bytes = Plain.bytes([UInt64(header.count)]) + Array(header)
    bytes.reserveCapacity(bytes.count + 4 * vectors.reduce(0) { $0 + $1.count })
    for vector in vectors { vector.withUnsafeBytes { bytes.append(contentsOf: $0) } }
    return bytes
  }

  /// Decodes the result of `bytes`, from a rank whose adapted layers are `modules`.
  ///
  /// - Precondition: the bytes have the length that follows from their header.
  static func checkpoint(_ bytes: [UInt8], modules: [TargetModule]) throws -> TrainingCheckpoint {
    let length = Int(Plain.values(bytes.prefix(8), as: UInt64.self)[0])
    let header = try JSONDecoder().decode(Header.self, from: Data(bytes[8..<8 + length]))
    let count = TrainableLayout(modules: modules, columns: header.position.trainable.count).count
    var offset = 8 + length
    func next(_ count: Int) -> [Float] {
      precondition(offset + 4 * count <= bytes.count, "a checkpoint's part is too short")
      defer { offset += 4 * count }
      return Plain.values(bytes[offset..<offset + 4 * count], as: Float.self)
    }
    let pairs = modules.map { module in
      let a = next(header.rank * module.inputs)
      return LoRAPair(a: a, b: next(module.outputs * header.rank))
    }
    let optimizer = header.step.map { step in
      let firstMoment = next(count)
      return ColumnOptimizer.State(firstMoment: firstMoment, secondMoment: next(count), step: step)
    }
    let checkpoint = TrainingCheckpoint(
      position: header.position,
      adapter: LoRAAdapter(modules: modules, rank: header.rank, scale: header.scale, pairs: pairs),
      optimizer: optimizer, history: (0..<header.history).map { _ in next(count) },
      best: header.hasBest ? next(count) : nil)
    precondition(offset == bytes.count, "a checkpoint's part is too long")
    return checkpoint
  }
}
