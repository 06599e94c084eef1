import CKernels

/// One worker's operations on the CPU.
///
/// Used by only one thread at a time; it owns the worker's scratch memory.
final class CPUOperations: TensorOperations {
  let computeType: ElementType
  let kernels = ck_kernels().pointee
  private let emulatesBFloat16: Bool
  private let threads: Int
  private let matmuls: MatmulContext
  private var scratch: [Int: DeviceMemory] = [:]

  init(device: CPUDevice, threads: Int) {
    computeType = device.computeType
    emulatesBFloat16 = device.emulatesBFloat16
    self.threads = threads
    matmuls = MatmulContext(cache: device.cache)
  }

  /// Scratch memory of this worker, valid until the next call with the same slot.
  func scratch(_ slot: ScratchSlot, rows: Int, columns: Int, type: ElementType) -> Matrix {
    let bytes = rows * columns * type.size
    if let memory = scratch[slot.rawValue], memory.byteCount >= bytes {
      return memory.matrix(rows: rows, columns: columns, type: type)
    }
    let memory = DeviceMemory(byteCount: bytes + bytes / 4)
    scratch[slot.rawValue] = memory
    return memory.matrix(rows: rows, columns: columns, type: type)
  }

  enum ScratchSlot: Int {
    case gatheredKeys, gatheredValues, attended
    case scores, scoresGradient, probabilities, probabilitiesGradient
    case denseOutputGradient, delta, queriesGradient, keysGradient, valuesGradient
    case sharedKeysGradient, sharedValuesGradient
    case logits, exponentials, rowStatistics
    case wideSource, wideWeights, wideDestination
  }

  // MARK: Memory

  func write(_ values: UnsafePointer<Float>, scale: Float, into matrix: Matrix) {
    if matrix.isDense {
      return narrow(values, scale, into: matrix.reshaped(rows: 1, columns: matrix.count))
    }
    for row in 0..<matrix.rows {
      narrow(values + row * matrix.columns, scale, into: matrix.rows(row..<row + 1))
    }
  }

  func read(_ matrix: Matrix, into values: UnsafeMutablePointer<Float>) {
    for row in 0..<matrix.rows {
      let source = matrix.rows(row..<row + 1)
      let target = values + row * matrix.columns
      switch matrix.type {
      case .float32: target.update(from: source.float32, count: matrix.columns)
      case .bfloat16: kernels.widen_bf16(source.bfloat16, matrix.columns, target)
      }
    }
  }

  func zero(_ matrix: Matrix) {
    let width = matrix.columns * matrix.type.size
    if matrix.isDense { return fill(matrix.address, matrix.rows * width) }
    for row in 0..<matrix.rows { fill(matrix.rows(row..<row + 1).address, width) }
  }

  private func fill(_ address: UnsafeMutableRawPointer, _ byteCount: Int) {
    address.initializeMemory(as: UInt8.self, repeating: 0, count: byteCount)
  }

  func copy(_ source: Matrix, into destination: Matrix) {
    precondition(
      source.rows == destination.rows && source.columns == destination.columns, "copy: shapes differ")
    if source.type == destination.type {
      let width = source.columns * source.type.size
      if source.isDense && destination.isDense {
        return destination.address.copyMemory(from: source.address, byteCount: source.rows * width)
      }
      kernels.copy_rows(
        source.address, source.stride * source.type.size, destination.address,
        destination.stride * source.type.size, source.rows, width)
    } else if source.isDense && destination.isDense {
      convert(source.reshaped(rows: 1, columns: source.count), destination)
    } else {
      for row in 0..<source.rows { convert(source.rows(row..<row + 1), destination.rows(row..<row + 1)) }
    }
  }

  private func convert(_ source: Matrix, _ destination: Matrix) {
    switch source.type {
    case .float32: kernels.narrow_bf16(source.float32, source.columns, 1, destination.bfloat16)
    case .bfloat16: kernels.widen_bf16(source.bfloat16, source.columns, destination.float32)
    }
  }

  private func narrow(_ values: UnsafePointer<Float>, _ scale: Float, into row: Matrix) {
    switch row.type {
    case .float32: kernels.narrow_f32(values, row.columns, scale, row.float32)
    case .bfloat16: kernels.narrow_bf16(values, row.columns, scale, row.bfloat16)
    }
  }

  func gatherRows(_ source: Matrix, _ indices: [Int], into destination: Matrix) {
    for (row, index) in indices.enumerated() {
      copy(source.rows(index..<index + 1), into: destination.rows(row..<row + 1))
    }
  }

  func scatterRows(_ source: Matrix, _ indices: [Int], into destination: Matrix) {
    for (row, index) in indices.enumerated() {
      copy(source.rows(row..<row + 1), into: destination.rows(index..<index + 1))
    }
  }

  // MARK: Products

  func matmul(
    _ a: Matrix, transposed aTransposed: Bool, _ b: Matrix, transposed bTransposed: Bool, into c: Matrix,
    accumulate: Bool
  ) {
    let (m, k) = aTransposed ? (a.columns, a.rows) : (a.rows, a.columns)
    let (inner, n) = bTransposed ? (b.columns, b.rows) : (b.rows, b.columns)
    precondition(
      k == inner && c.rows == m && c.columns == n && a.type == b.type,
      "matmul: [\(m), \(k)] times [\(inner), \(n)] into [\(c.rows), \(c.columns)]")
    guard m > 0, n > 0 else { return }
    if k == 0 {
      if !accumulate { zero(c) }
      return
    }
    if emulatesBFloat16, a.type == .bfloat16 {
      let (a, b) = (widened(a, .wideSource), widened(b, .wideWeights))
      return rounding(into: c, accumulate: accumulate) {
        matmul(a, transposed: aTransposed, b, transposed: bTransposed, into: $0, accumulate: accumulate)
      }
    }
    OpenMP.useThreads(threads)
    matmuls.run(
      MatmulKey(
        m: m, n: n, k: k, sourceType: a.type, destinationType: c.type,
        sourceStrides: aTransposed ? [1, a.stride] : [a.stride, 1],
        weightStrides: bTransposed ? [1, b.stride] : [b.stride, 1], destinationStride: c.stride,
        accumulate: accumulate, threads: threads),
      source: a.address, weights: b.address, packed: nil, destination: c.address)
  }

  func project(_ x: Matrix, _ weight: any PackedMatrix, into y: Matrix, accumulate: Bool) {
    let frozen = cpu(weight)
    multiply(x, frozen.forward, k: frozen.inputs, n: frozen.outputs, into: y, accumulate: accumulate)
  }

  func projectBackward(_ dy: Matrix, _ weight: any PackedMatrix, into dx: Matrix, accumulate: Bool) {
    let frozen = cpu(weight)
    guard let backward = frozen.backward else {
      preconditionFailure("projectBackward: the weight was frozen for forward use only")
    }
    multiply(dy, backward, k: frozen.outputs, n: frozen.inputs, into: dx, accumulate: accumulate)
  }

  func cpu(_ weight: any PackedMatrix) -> CPUPackedMatrix {
    guard let frozen = weight as? CPUPackedMatrix else {
      preconditionFailure("a frozen matrix of another device")
    }
    return frozen
  }

  private func multiply(
    _ x: Matrix, _ weights: PackedOperand, k: Int, n: Int, into y: Matrix, accumulate: Bool
  ) {
    // The library is only fast with packed weights if the rows of both matrices are dense.
    precondition(
      x.columns == k && y.columns == n && x.rows == y.rows && x.type == computeType && x.isDense && y.isDense,
      "project: [\(x.rows), \(x.columns)] times [\(k), \(n)] into [\(y.rows), \(y.columns)]")
    guard x.rows > 0 else { return }
    if x.type == weights.type {
      return multiplyPacked(x, weights, k: k, n: n, into: y, accumulate: accumulate)
    }
    // Emulation: the weights are bfloat16 values stored as float32.
    let x = widened(x, .wideSource)
    rounding(into: y, accumulate: accumulate) {
      multiplyPacked(x, weights, k: k, n: n, into: $0, accumulate: accumulate)
    }
  }

  private func multiplyPacked(
    _ x: Matrix, _ weights: PackedOperand, k: Int, n: Int, into y: Matrix, accumulate: Bool
  ) {
    OpenMP.useThreads(threads)
    matmuls.run(
      MatmulKey(
        m: x.rows, n: n, k: k, sourceType: x.type, destinationType: y.type,
        // Not the views' strides: a single row of a wider matrix is dense, too.
        sourceStrides: [k, 1], weightStrides: nil, product: weights.product, destinationStride: n,
        accumulate: accumulate, threads: threads),
      source: x.address, weights: weights.storage.address, packed: weights, destination: y.address)
  }
}

extension Matrix {
  var float32: UnsafeMutablePointer<Float> {
    precondition(type == .float32, "Matrix: not float32")
    return address.assumingMemoryBound(to: Float.self)
  }

  /// The elements as bfloat16 bit patterns.
  var bfloat16: UnsafeMutablePointer<UInt16> {
    precondition(type == .bfloat16, "Matrix: not bfloat16")
    return address.assumingMemoryBound(to: UInt16.self)
  }
}
