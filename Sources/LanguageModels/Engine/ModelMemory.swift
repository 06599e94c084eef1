import Checkpoint
import Tensor

/// The least memory that a model takes, known from its sizes before it is loaded.
package struct ModelMemory: Sendable {
  private let configuration: LlamaConfiguration
  private let type: ElementType
  private let firstAdapted: Int

  /// - Parameters:
  ///   - type: the number format of weights and activations.
  ///   - firstAdapted: the lowest layer that backward passes go through.
  package init(_ configuration: LlamaConfiguration, type: ElementType, firstAdapted: Int = 0) {
    (self.configuration, self.type, self.firstAdapted) = (configuration, type, firstAdapted)
  }

  /// Bytes of the packed weights of some layers, and of the head with the last one, without what the packed
  /// layout adds.
  package func weightBytes(layers: Range<Int>, use: PackedUse) -> Double {
    let shape = configuration.attentionShape
    let (hidden, queries) = (Double(configuration.hiddenSize), Double(shape.heads * shape.dimension))
    let layer =
      hidden * (queries + Double(shape.fusedColumns) + 3 * Double(configuration.intermediateSize))
    let head =
      layers.upperBound == configuration.layerCount ? hidden * Double(configuration.vocabularySize) : 0
    var values = layer * Double(layers.count) + head
    if use == .forwardAndBackward {
      values += layer * Double(layers.upperBound - max(layers.lowerBound, firstAdapted)) + head
    }
    return values * Double(CPUDevice.weightType(of: type).size)
  }

  /// Bytes that a worker takes for each row of a micro-batch, in a forward and a backward pass through all layers:
  /// scratch and activations, without those of an adapter.
  package var trainedRowBytes: Double {
    // As many rows as make each matrix whole cache lines.
    let rows = 64
    var planner = BufferPlanner(configuration, rows: rows, type: type)
    _ = Scratch(&planner)
    let scratch = planner.byteCount
    planner = BufferPlanner(configuration, rows: rows, type: type)
    _ = TransformerBlock.Activations(&planner)
    let (layer, streams) = (planner.byteCount, 2 * 4 * rows * configuration.hiddenSize)
    // Layers that are not adapted share their buffers.
    let kept = configuration.layerCount - firstAdapted + min(firstAdapted, 1)
    return (Double(scratch + streams) + Double(layer) * Double(kept)) / Double(rows)
  }
}
