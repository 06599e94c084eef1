import CKernels

/// The kernels of one instruction set, as a test argument.
struct KernelTable: @unchecked Sendable, CustomStringConvertible {
  // Unchecked: a table of functions, constant for the lifetime of the process.
  let kernels: ck_kernel_table
  let description: String

  init?(_ name: String) {
    guard let table = ck_kernels_named(name) else { return nil }
    kernels = table.pointee
    description = name
  }

  /// All tables that this processor supports; the base table is first.
  static let all = ["base", "avx2", "avx512"].compactMap { KernelTable($0) }
}
