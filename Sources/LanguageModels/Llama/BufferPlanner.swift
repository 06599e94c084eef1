import Checkpoint
import Tensor

/// Plans a stage's buffers for `rows` rows.
struct BufferPlanner {
  let configuration: LlamaConfiguration
  let rows: Int
  fileprivate let computeType: ElementType
  fileprivate let backward: Bool
  fileprivate let xAColumns: [Int]
  fileprivate var arena: ArenaPlanner

  fileprivate init(
    _ configuration: LlamaConfiguration, rows: Int, type: ElementType, backward: Bool, xAColumns: [Int],
    arena: ArenaPlanner
  ) {
    (self.configuration, self.rows, computeType) = (configuration, rows, type)
    (self.backward, self.xAColumns, self.arena) = (backward, xAColumns, arena)
  }

  /// Counts the bytes of passes forward and backward without an adapter; the matrices cannot be used.
  init(_ configuration: LlamaConfiguration, rows: Int, type: ElementType) {
    self.init(
      configuration, rows: rows, type: type, backward: true,
      xAColumns: FusedProjection.allCases.map { _ in 0 }, arena: ArenaPlanner())
  }

  /// The bytes planned so far.
  var byteCount: Int { arena.byteCount }

  /// `[rows, columns]`, in the compute type unless another is given.
  mutating func matrix(rows: Int? = nil, _ columns: Int, _ type: ElementType? = nil) -> Matrix {
    arena.matrix(rows: rows ?? self.rows, columns: columns, type: type ?? computeType)
  }

  /// The same for a buffer that only a backward pass needs; it has no rows if there is none.
  mutating func gradient(_ columns: Int, _ type: ElementType? = nil) -> Matrix {
    matrix(rows: backward ? rows : 0, columns, type)
  }

  /// x Aᵀ of a fused projection: `[rows, columns]` with as many columns as any of the layers needs; no columns
  /// if nothing is adapted.
  mutating func xA(_ projection: FusedProjection) -> Matrix { matrix(xAColumns[projection.rawValue]) }

  /// The columns of x Aᵀ of the fused projection with the most.
  var widestXA: Int { xAColumns.max() ?? 0 }

  /// A key/value store with room for `rows` tokens.
  mutating func keyValueStore() -> KeyValueStore {
    let shape = configuration.attentionShape
    return KeyValueStore(
      keys: matrix(rows: rows * shape.keyValueHeads, shape.dimension),
      values: matrix(rows: rows * shape.keyValueHeads, shape.dimension), capacity: rows)
  }
}

extension LlamaStage {
  /// Allocates buffers of `rows` rows in one block of memory. `plan` runs twice.
  func allocate<Buffers>(
    rows: Int, adapter: DeviceAdapter?, backward: Bool, _ plan: (inout BufferPlanner) -> Buffers
  ) -> (memory: DeviceMemory, buffers: Buffers) {
    let xAColumns = FusedProjection.allCases.map { projection in
      layers.compactMap { adapter?.layer(projection, of: $0)?.a.rows }.max() ?? 0
    }
    return device.allocate { arena in
      var planner = BufferPlanner(
        configuration, rows: rows, type: device.computeType, backward: backward, xAColumns: xAColumns,
        arena: arena)
      defer { arena = planner.arena }
      return plan(&planner)
    }
  }
}
