import ContextLoRA
import LanguageModels

/// A rank's part of a checkpoint as bytes: the pairs of its adapted layers, A before B, then the moments, then
/// the history, all float32 in the machine's byte order. Where the run is and how many columns train is the
/// same on every rank and not sent.
enum CheckpointMessage {
  static func bytes(_ part: TrainingCheckpoint) -> [UInt8] {
    var vectors = part.adapter.pairs.flatMap { [$0.a, $0.b] }
    if let optimizer = part.optimizer { vectors += [optimizer.firstMoment, optimizer.secondMoment] }
    vectors += part.history
    var bytes: [UInt8] = []
    bytes.reserveCapacity(4 * vectors.reduce(0) { $0 + $1.count })
    for vector in vectors { vector.withUnsafeBytes { bytes.append(contentsOf: $0) } }
    return bytes
  }

  /// The part of another rank, whose adapted layers are `sites`; `own` is this rank's part of the same step.
  ///
  /// - Precondition: the bytes have the length that follows.
  static func checkpoint(
    _ bytes: [UInt8], like own: TrainingCheckpoint, sites: [AdapterSite]
  ) -> TrainingCheckpoint {
    let rank = own.adapter.rank
    let count = TrainableLayout(sites: sites, columns: own.position.trainable.count).count
    var offset = 0
    func next(_ count: Int) -> [Float] {
      precondition(offset + 4 * count <= bytes.count, "a checkpoint's part is too short")
      defer { offset += 4 * count }
      return [Float](unsafeUninitializedCapacity: count) { buffer, filled in
        UnsafeMutableRawBufferPointer(buffer).copyBytes(from: bytes[offset..<offset + 4 * count])
        filled = count
      }
    }
    var part = own
    part.adapter = LoRAAdapter(
      sites: sites, rank: rank, scale: own.adapter.scale,
      pairs: sites.map { site in
        let a = next(rank * site.inputs)
        return LoRAPair(a: a, b: next(site.outputs * rank))
      })
    part.optimizer = own.optimizer.map { state in
      let firstMoment = next(count)
      return ColumnOptimizer.State(firstMoment: firstMoment, secondMoment: next(count), step: state.step)
    }
    part.history = own.history.map { _ in next(count) }
    precondition(offset == bytes.count, "a checkpoint's part is too long")
    return part
  }
}
