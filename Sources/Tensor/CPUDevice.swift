import CKernels
import Dispatch
import Foundation

#if canImport(Glibc)
  import Glibc
#endif

/// This machine's processor: matrix products by oneDNN, the rest by the kernels of its instruction set.
package final class CPUDevice: ComputeDevice {
  /// What frozen weights and activations are stored in.
  package let computeType: ElementType
  /// How many shards are worked on at once.
  package let workerCount: Int
  /// Whether bfloat16 is computed in and its products are float32 products of widened values.
  package let emulatesBFloat16: Bool
  let cache = MatmulCache()

  /// - Parameters:
  ///   - computeType: what weights and activations are stored in; `nil` takes ``fastestType``.
  ///   - workers: how many shards are worked on at once; `nil` takes the number of processors.
  ///   - emulating: emulates bfloat16 even where the processor multiplies it, to compare the two.
  package init(computeType: ElementType? = nil, workers: Int? = nil, emulating: Bool = false) {
    let type = computeType ?? Self.fastestType
    self.computeType = type
    workerCount = max(1, workers ?? Self.processorCount)
    emulatesBFloat16 = Self.emulates(type) || emulating && type == .bfloat16
  }

  /// bfloat16 where the processor multiplies it in hardware, float32 elsewhere (emulated bfloat16 is
  /// no faster than float32, and less exact).
  package static var fastestType: ElementType { multipliesBFloat16 ? .bfloat16 : .float32 }

  /// The name of the instruction set whose kernels run: `base`, `avx2` or `avx512`.
  package static var instructionSet: String { String(cString: ck_kernels().pointee.instruction_set) }

  /// The processors this process may run on.
  package static var processorCount: Int { ProcessInfo.processInfo.activeProcessorCount }

  /// The matrix-product implementations used so far, by the library's names.
  package var matmulImplementations: Set<String> { cache.implementations }

  /// Packs the float32 values that `fill` writes, row-major, as the matrix products read them fastest.
  package func freeze(
    outputs: Int, inputs: Int, use: FrozenUse,
    fill: (UnsafeMutablePointer<Float>) throws -> Void
  ) rethrows -> any FrozenMatrix {
    let plain = UnsafeMutablePointer<Float>.allocate(capacity: outputs * inputs)
    defer { plain.deallocate() }
    try fill(plain)
    if emulatesBFloat16 { ck_kernels().pointee.roundToBFloat16(plain, count: outputs * inputs) }
    OpenMP.useThreads(1)
    return CPUFrozenMatrix(plain, outputs: outputs, inputs: inputs, type: weightType, use: use)
  }

  /// float32 holds weights and what is added to them; bfloat16 would round the sum away.
  package var storesSums: Bool { computeType == .float32 }

  /// Adds a product to float32 values, on the calling thread.
  package func addProduct(
    _ b: [Float], _ a: [Float], rows: Int, inner: Int, columns: Int, to target: UnsafeMutablePointer<Float>
  ) {
    precondition(b.count == rows * inner && a.count == inner * columns, "addProduct: bad shapes")
    let operations = CPUOperations(device: self, threads: 1)
    b.withUnsafeBytes { b in
      a.withUnsafeBytes { a in
        guard let b = b.baseAddress, let a = a.baseAddress else { return }
        // Read only.
        func matrix(_ address: UnsafeRawPointer, _ rows: Int, _ columns: Int) -> Matrix {
          Matrix(UnsafeMutableRawPointer(mutating: address), rows: rows, columns: columns, type: .float32)
        }
        operations.matmul(
          matrix(b, rows, inner), transposed: false, matrix(a, inner, columns), transposed: false,
          into: matrix(target, rows, columns), accumulate: true)
      }
    }
  }

  /// Zeroed memory of this machine.
  package func allocate(byteCount: Int) -> DeviceMemory { DeviceMemory(byteCount: byteCount) }

  /// The operations of one worker, with scratch memory of its own.
  package func makeOperations(threads: Int = 1) -> any TensorOperations {
    CPUOperations(device: self, threads: threads)
  }

  /// Runs `body` for each worker's number at once, on the calling thread where there is one, and waits for all.
  package func onEachWorker(_ body: @Sendable (Int) -> Void) {
    if workerCount == 1 { return body(0) }
    DispatchQueue.concurrentPerform(iterations: workerCount, execute: body)
  }
}

/// W packed for `x Wᵀ` and, where asked for, for `dy W`.
final class CPUFrozenMatrix: FrozenMatrix {
  let outputs: Int
  let inputs: Int
  let forward: PackedOperand
  let backward: PackedOperand?

  init(_ plain: UnsafeMutablePointer<Float>, outputs: Int, inputs: Int, type: ElementType, use: FrozenUse) {
    self.outputs = outputs
    self.inputs = inputs
    forward = PackedOperand(
      source: UnsafeMutableRawPointer(plain), strides: [1, inputs], k: inputs, n: outputs, type: type)
    backward =
      use == .forward
      ? nil
      : PackedOperand(
        source: UnsafeMutableRawPointer(plain), strides: [inputs, 1], k: outputs, n: inputs, type: type)
  }

  var byteCount: Int { forward.storage.byteCount + (backward?.storage.byteCount ?? 0) }
}

/// The thread count of oneDNN's OpenMP runtime, per calling thread.
enum OpenMP {
  private typealias SetThreads = @convention(c) (Int32) -> Void

  // The library loads its OpenMP runtime itself; its entry point is looked up rather than linked, so that
  // no development package of a compiler is needed. `nil` where the library was built without OpenMP.
  private static let setThreads: SetThreads? = dlsym(nil, "omp_set_num_threads").map {
    unsafeBitCast($0, to: SetThreads.self)
  }

  static func useThreads(_ count: Int) { setThreads?(Int32(count)) }
}
