import Checkpoint
import Tensor

/// Activations that the forward pass of one layer stores for its backward pass. Shapes are for `rows` rows.
struct LayerActivations {
  /// The residual stream before attention, `[rows, hidden]` float32.
  private(set) var input: Matrix
  /// The residual stream before the MLP, `[rows, hidden]` float32.
  private(set) var middle: Matrix
  /// 1 / root mean square of `input` and of `middle`, `[rows, 1]` float32.
  private(set) var inputRstd: Matrix
  private(set) var middleRstd: Matrix
  /// Rotated queries, `[rows * heads, dimension]`, and the log-sum-exp of their scores.
  private(set) var queries: Matrix
  private(set) var lse: Matrix
  /// Rotated keys, and values.
  private(set) var store: KeyValueStore
  /// Attention's output before the output projection, `[rows, heads * dimension]`.
  private(set) var attended: Matrix
  /// gate | up, `[rows, 2 * intermediate]`.
  private(set) var gateUp: Matrix
  /// x Aᵀ of each fused projection, `[rows, members * active]`; empty if nothing is adapted.
  private var low: [Matrix]

  init(
    _ planner: inout ArenaPlanner, _ configuration: LlamaConfiguration, rows: Int, lowColumns: [Int],
    type: ElementType
  ) {
    let hidden = configuration.hiddenSize
    let shape = configuration.attentionShape
    input = planner.matrix(rows: rows, columns: hidden, type: .float32)
    middle = planner.matrix(rows: rows, columns: hidden, type: .float32)
    inputRstd = planner.matrix(rows: rows, columns: 1, type: .float32)
    middleRstd = planner.matrix(rows: rows, columns: 1, type: .float32)
    queries = planner.matrix(rows: rows * shape.heads, columns: shape.dimension, type: type)
    lse = planner.matrix(rows: 1, columns: rows * shape.heads, type: .float32)
    let keyRows = rows * shape.keyValueHeads
    store = KeyValueStore(
      keys: planner.matrix(rows: keyRows, columns: shape.dimension, type: type),
      values: planner.matrix(rows: keyRows, columns: shape.dimension, type: type), capacity: rows)
    attended = planner.matrix(rows: rows, columns: shape.heads * shape.dimension, type: type)
    gateUp = planner.matrix(rows: rows, columns: 2 * configuration.intermediateSize, type: type)
    low = lowColumns.map { planner.matrix(rows: rows, columns: $0, type: type) }
  }

  /// x Aᵀ of a fused projection with `columns` columns in this layer.
  func low(_ group: FusedProjection, columns: Int) -> Matrix {
    let matrix = low[group.rawValue]
    return Matrix(matrix.address, rows: matrix.rows, columns: columns, type: matrix.type)
  }

  /// The same buffers for a batch of fewer rows.
  func narrowed(to rows: Int) -> LayerActivations {
    var view = self
    view.input = input.rows(0..<rows)
    view.middle = middle.rows(0..<rows)
    view.inputRstd = inputRstd.rows(0..<rows)
    view.middleRstd = middleRstd.rows(0..<rows)
    view.attended = attended.rows(0..<rows)
    view.gateUp = gateUp.rows(0..<rows)
    view.low = low.map { $0.rows(0..<rows) }
    return view
  }
}

/// A worker's scratch buffers; nothing in them outlives a pass. Shapes are for `rows` rows.
struct LayerScratch {
  /// The normalised input of attention or of the MLP, `[rows, hidden]`; backward recomputes it.
  private(set) var normed: Matrix
  /// `[rows, fusedColumns]`: queries, keys and values before rotation, or their gradient.
  private(set) var fused: Matrix
  /// `[rows, intermediate]`: silu(gate) ∘ up, and its gradient.
  private(set) var act: Matrix
  private(set) var dAct: Matrix
  /// `[rows, 2 * intermediate]`.
  private(set) var dGateUp: Matrix
  /// `[rows, hidden]` in the compute type: the gradient of a projection's output.
  private(set) var dOutput: Matrix
  /// `[rows, heads * dimension]`.
  private(set) var dAttended: Matrix
  /// `[rows, hidden]` float32: the gradient of a projection's input.
  private(set) var dNormed: Matrix
  /// Scratch for the low-rank products.
  let lowRank: LowRankScratch
  /// `[rows, hidden]` float32 and `[rows, heads * dimension]`: rows of the residual stream and of attention's
  /// output (or of their gradients), for a block that computes only some rows of its output.
  private let selectedResidual: Matrix
  private let selectedAttended: Matrix

  init(
    _ planner: inout ArenaPlanner, _ configuration: LlamaConfiguration, rows: Int, lowColumns: [Int],
    type: ElementType, backward: Bool
  ) {
    let shape = configuration.attentionShape
    let back = backward ? rows : 0
    normed = planner.matrix(rows: rows, columns: configuration.hiddenSize, type: type)
    fused = planner.matrix(rows: rows, columns: shape.fusedColumns, type: type)
    act = planner.matrix(rows: rows, columns: configuration.intermediateSize, type: type)
    dAct = planner.matrix(rows: back, columns: configuration.intermediateSize, type: type)
    dGateUp = planner.matrix(rows: back, columns: 2 * configuration.intermediateSize, type: type)
    dOutput = planner.matrix(rows: back, columns: configuration.hiddenSize, type: type)
    dAttended = planner.matrix(rows: back, columns: shape.heads * shape.dimension, type: type)
    dNormed = planner.matrix(rows: back, columns: configuration.hiddenSize, type: .float32)
    lowRank = LowRankScratch(
      &planner, rows: back, columns: lowColumns.max() ?? 0, type: type)
    selectedResidual = planner.matrix(rows: rows, columns: configuration.hiddenSize, type: .float32)
    selectedAttended = planner.matrix(rows: rows, columns: shape.heads * shape.dimension, type: type)
  }

  /// These buffers for `rows` selected rows.
  func selected(_ rows: Int) -> (residual: Matrix, attended: Matrix) {
    (selectedResidual.rows(0..<rows), selectedAttended.rows(0..<rows))
  }

  /// The same buffers for a batch of fewer rows.
  func narrowed(to rows: Int) -> LayerScratch {
    var view = self
    view.normed = normed.rows(0..<rows)
    view.fused = fused.rows(0..<rows)
    view.act = act.rows(0..<rows)
    guard dAct.rows > 0 else { return view }
    view.dAct = dAct.rows(0..<rows)
    view.dGateUp = dGateUp.rows(0..<rows)
    view.dOutput = dOutput.rows(0..<rows)
    view.dAttended = dAttended.rows(0..<rows)
    view.dNormed = dNormed.rows(0..<rows)
    return view
  }
}

extension LlamaConfiguration {
  /// The sizes of the attention layers.
  package var attentionShape: AttentionShape {
    AttentionShape(heads: headCount, keyValueHeads: keyValueHeadCount, dimension: headDimension)
  }
}

extension DeviceAdapter? {
  /// The number of columns of x Aᵀ by fused projection: the maximum over the layers.
  func lowColumns(layers: Range<Int>) -> [Int] {
    FusedProjection.allCases.map { group in
      layers.compactMap { self?.group(group, layer: $0)?.a.rows }.max() ?? 0
    }
  }
}
