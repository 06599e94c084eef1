import CKernels
import Dispatch
import Foundation

#if canImport(Glibc)
  import Glibc
#endif

/// This machine's CPU: oneDNN computes matrix products, the kernels of its instruction set everything else.
package final class CPUDevice: ComputeDevice {
  /// The type in which weights and activations are stored.
  package let computeType: ElementType
  /// The number of shards processed in parallel.
  package let workerCount: Int
  /// Whether the type is bfloat16 and its products are computed in float32, from widened values.
  package let emulatesBFloat16: Bool
  let cache = MatmulCache()

  /// - Parameters:
  ///   - computeType: the type in which weights and activations are stored; `nil` for ``fastestType``.
  ///   - workers: the number of shards processed in parallel; `nil` for the number of processors.
  ///   - emulating: emulates bfloat16 even if the processor multiplies it, to compare the two.
  package init(computeType: ElementType? = nil, workers: Int? = nil, emulating: Bool = false) {
    let type = computeType ?? Self.fastestType
    self.computeType = type
    workerCount = max(1, workers ?? Self.processorCount)
    emulatesBFloat16 = Self.emulates(type) || emulating && type == .bfloat16
  }

  /// bfloat16 if the processor multiplies it in hardware, otherwise float32: emulated bfloat16 is no faster
  /// and less exact.
  package static var fastestType: ElementType { multipliesBFloat16 ? .bfloat16 : .float32 }

  /// The name of the kernels' instruction set: `base`, `avx2` or `avx512`.
  package static var instructionSet: String { String(cString: ck_kernels().pointee.instruction_set) }

  /// All that ``instructionSet`` can be, the fastest first.
  package static let instructionSets = ["avx512", "avx2", "base"]

  /// The number of processors on which this process may run.
  package static var processorCount: Int { ProcessInfo.processInfo.activeProcessorCount }

  /// The names of oneDNN's matrix-product implementations used so far.
  package var matmulImplementations: Set<String> { cache.implementations }

  /// Packs the row-major float32 values that `fill` writes into the fastest layout for matrix products.
  package func freeze(
    outputs: Int, inputs: Int, use: PackedUse,
    fill: (UnsafeMutablePointer<Float>) throws -> Void
  ) rethrows -> any PackedMatrix {
    let plain = UnsafeMutablePointer<Float>.allocate(capacity: outputs * inputs)
    defer { plain.deallocate() }
    try fill(plain)
    if emulatesBFloat16 { ck_kernels().pointee.roundToBFloat16(plain, count: outputs * inputs) }
    OpenMP.useThreads(1)
    return CPUPackedMatrix(plain, outputs: outputs, inputs: inputs, type: weightType, use: use)
  }

  /// With float32, a merged weight keeps small additions to its value; bfloat16 would round them away.
  package var storesSums: Bool { computeType == .float32 }

  /// Adds a product to float32 values on the calling thread.
  package func addProduct(
    _ b: [Float], _ a: [Float], rows: Int, inner: Int, columns: Int, to target: UnsafeMutablePointer<Float>
  ) {
    precondition(b.count == rows * inner && a.count == inner * columns, "addProduct: bad shapes")
    let operations = CPUOperations(device: self, threads: 1)
    b.withUnsafeBytes { b in
      a.withUnsafeBytes { a in
        guard let b = b.baseAddress, let a = a.baseAddress else { return }
        // The views are only read.
        func matrix(_ address: UnsafeRawPointer, _ rows: Int, _ columns: Int) -> Matrix {
          Matrix(UnsafeMutableRawPointer(mutating: address), rows: rows, columns: columns, type: .float32)
        }
        operations.matmul(
          matrix(b, rows, inner), transposed: false, matrix(a, inner, columns), transposed: false,
          into: matrix(target, rows, columns), accumulate: true)
      }
    }
  }

  /// Allocates zeroed host memory.
  package func allocate(byteCount: Int) -> DeviceMemory { DeviceMemory(byteCount: byteCount) }

  /// Creates the operations of one worker, with its own scratch memory.
  package func makeOperations(threads: Int = 1) -> any TensorOperations {
    CPUOperations(device: self, threads: threads)
  }

  /// Runs `body` for each worker's index in parallel and waits for all. With one worker, it runs on the
  /// calling thread.
  package func onEachWorker(_ body: @Sendable (Int) -> Void) {
    if workerCount == 1 { return body(0) }
    DispatchQueue.concurrentPerform(iterations: workerCount, execute: body)
  }
}

/// W packed for `x Wᵀ` and, if requested, for `dy W`.
final class CPUPackedMatrix: PackedMatrix {
  let outputs: Int
  let inputs: Int
  let forward: PackedOperand
  let backward: PackedOperand?

  init(_ plain: UnsafeMutablePointer<Float>, outputs: Int, inputs: Int, type: ElementType, use: PackedUse) {
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

  // oneDNN loads its OpenMP runtime itself. The entry point is looked up rather than linked, so no compiler
  // development package is needed. `nil` if the library was built without OpenMP.
  private static let setThreads: SetThreads? = dlsym(nil, "omp_set_num_threads").map {
    unsafeBitCast($0, to: SetThreads.self)
  }

  static func useThreads(_ count: Int) { setThreads?(Int32(count)) }
}
