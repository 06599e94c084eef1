import Glibc

/// Configures the C library's memory allocator.
enum Allocation {
  /// Returns blocks of 1 MiB and more to the system as soon as they are freed.
  ///
  /// The C library raises this limit by itself up to 32 MiB, and then keeps freed memory in a heap for each
  /// thread, for example weights that are packed again at the start of a phase. How much accumulates depends
  /// on which thread freed what. With a fixed limit, training uses only the memory it needs, and the same
  /// amount every time.
  static func returnLargeBlocks() {
    // Swift's module of the C library lacks the header of this function.
    typealias SetOption = @convention(c) (Int32, Int32) -> Int32
    let mmapThreshold: Int32 = -3
    guard let symbol = dlsym(nil, "mallopt") else { return }
    _ = unsafeBitCast(symbol, to: SetOption.self)(mmapThreshold, 1 << 20)
  }
}
