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

  /// The maximum length of the result of `bytes`: an adapter, both moments, the best state, the history, and a
  /// header.
  static func limit(of adapter: LoRAAdapter, _ options: TrainingOptions) -> Int {
    let layout = TrainableLayout(modules: adapter.modules, columns: adapter.rank)
    return (1 << 24) + layout.count * MemoryLayout<Float>.size * (5 + options.staleness)
  }

  /// Decodes the result of `bytes`; `nil` if it is none for this adapter, or its length is not the one that
  /// follows from its header.
  ///
  /// - Parameter adapter: the adapter of the sender's modules, whose rank and scale it must have.
  static func checkpoint(_ bytes: [UInt8], like adapter: LoRAAdapter) -> TrainingCheckpoint? {
    guard bytes.count >= 8 else { return nil }
    let length = Plain.values(bytes.prefix(8), as: UInt64.self)[0]
    guard length <= UInt64(bytes.count - 8) else { return nil }
    let start = 8 + Int(length)
    guard let header = try? JSONDecoder().decode(Header.self, from: Data(bytes[8..<start])),
      header.rank == adapter.rank, header.scale == adapter.scale, header.history >= 0,
      header.history <= bytes.count, areColumns(header.position.trainable, of: adapter.rank)
    else { return nil }
    let count = TrainableLayout(modules: adapter.modules, columns: header.position.trainable.count).count
    var offset = start
    /// The next values; `nil` if there are too few.
    func next(_ count: Int) -> [Float]? {
      guard count <= (bytes.count - offset) / 4 else { return nil }
      defer { offset += 4 * count }
      return Plain.values(bytes[offset..<offset + 4 * count], as: Float.self)
    }
    var pairs: [LoRAPair] = []
    for module in adapter.modules {
      guard let a = next(header.rank * module.inputs), let b = next(module.outputs * header.rank) else {
        return nil
      }
      pairs.append(LoRAPair(a: a, b: b))
    }
    var optimizer: ColumnOptimizer.State?
    if let step = header.step {
      guard let first = next(count), let second = next(count) else { return nil }
      optimizer = ColumnOptimizer.State(firstMoment: first, secondMoment: second, step: step)
    }
    var history: [[Float]] = []
    // A rank without adapted layers sends empty vectors, which take no bytes.
    for _ in 0..<header.history {
      guard let values = next(count) else { return nil }
      history.append(values)
    }
    let best = header.hasBest ? next(count) : nil
    guard offset == bytes.count, header.hasBest == (best != nil) else { return nil }
    return TrainingCheckpoint(
      position: header.position,
      adapter: LoRAAdapter(
        modules: adapter.modules, rank: adapter.rank, scale: adapter.scale, pairs: pairs),
      optimizer: optimizer, history: history, best: best)
  }

  private static func areColumns(_ columns: [Int], of rank: Int) -> Bool {
    columns.allSatisfy { 0..<rank ~= $0 } && Set(columns).count == columns.count
  }
}
