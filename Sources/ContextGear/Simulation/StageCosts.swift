/// Seconds and bytes of one stage on its device.
package struct StageCosts {
  /// Seconds of a micro-batch's forward pass: of each forward-only pass, then of the trained one.
  var forward: [Double]
  /// Seconds of a micro-batch's backward pass.
  var backward: Double
  /// Seconds of the optimiser update.
  var update: Double
  /// Seconds per byte of gradients that replicas sum.
  var sum: SumTimes

  /// - Parameters:
  ///   - layers: the stage's layers.
  ///   - microBatch: samples per micro-batch, `k`.
  init(
    _ device: Device, _ shape: ModelShape, _ workload: Workload, layers: Range<Int>, microBatch: Int
  ) {
    let k = Double(microBatch)
    let isLast = layers.upperBound == shape.layers
    var backward = 0.0
    forward = (workload.forwardOnly + [workload.trained]).map { pass in
      let rows = pass.rows(samples: k)
      let layer = device.layer(shape, tokens: rows, context: pass.tokens, columns: pass.columns)
      var seconds = layer.forward * Double(layers.count)
      backward = layer.backward * Double(shape.adapted(layers))
      if layers.lowerBound == 0 { seconds += device.embedding(shape, tokens: rows) }
      if isLast {
        let end = device.end(shape, pass, samples: k)
        seconds += end.forward
        backward += end.backward
      }
      return seconds
    }
    self.backward = backward
    update = device.update(shape, layers: shape.adapted(layers), columns: workload.trainedColumns)
    sum = device.sum(shape, bytes: 1)
  }

  /// The bytes a stage needs:
  /// - the weights,
  /// - the adapter of all layers in float32, and the columns that the stage computes with in its number
  ///   format,
  /// - five float32 values per trained value: the value, two moments, and the gradients of the step and of a
  ///   micro-batch,
  /// - activations of the micro-batches in flight (layers that are not adapted share one buffer),
  /// - the working memory of one pass.
  package static func memory(
    _ shape: ModelShape, _ workload: Workload, layers: Range<Int>, microBatch: Int, trains: Bool,
    inFlight: Int
  ) -> Int {
    let adapted = shape.adapted(layers)
    var bytes = (layers.count + (trains ? adapted * (shape.trainingCopies - 1) : 0)) * shape.layerBytes
    let isFirst = layers.lowerBound == 0
    let isLast = layers.upperBound == shape.layers
    if isFirst { bytes += shape.embeddingBytes }
    if isLast, !(shape.tiedHead && isFirst) { bytes += shape.embeddingBytes }
    bytes += shape.adapted(0..<shape.layers) * shape.columnValues * 4 * shape.rank
    let passes = workload.forwardOnly.map(\.columns) + (trains ? [workload.trained.columns] : [])
    let computed = passes.map { $0.map { $0.trained + $0.frozen } ?? shape.rank }.max() ?? 0
    let columns = max(computed, trains ? workload.trainedColumns : 0)
    bytes += adapted * shape.columnValues * shape.valueBytes * columns
    if trains { bytes += adapted * shape.columnValues * 20 * workload.trainedColumns }
    let kept = trains ? inFlight * (adapted + (adapted < layers.count ? 1 : 0)) : 1
    let trained = workload.trained.rows(samples: Double(microBatch))
    let longest = workload.forwardOnly.map { $0.rows(samples: Double(microBatch)) }.max() ?? 0
    let working = max(longest, trains ? trained : 0)
    let streams = (trains ? 2 * inFlight : 1) * 4 * shape.hidden
    return bytes
      + Int(
        Double(shape.activationBytes * kept + streams) * (trains ? trained : longest)
          + Double(shape.scratchBytes(backward: trains)) * working)
  }
}
