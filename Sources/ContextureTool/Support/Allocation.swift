import Glibc

/// How the C library hands out memory.
enum Allocation {
  /// Gives blocks of 1 MiB and more back to the system as soon as they are freed.
  ///
  /// The C library raises that limit by itself up to 32 MiB, and then keeps what was freed in a heap for each
  /// thread: weights that are laid out again at the start of a phase, for example. How much piles up depends on which
  /// thread freed what; without it, the memory that a training holds is what it needs, and the same every time.
  static func returnLargeBlocks() {
    // The header of this function is not one that Swift's module of the C library has.
    typealias SetOption = @convention(c) (Int32, Int32) -> Int32
    let mmapThreshold: Int32 = -3
    guard let symbol = dlsym(nil, "mallopt") else { return }
    _ = unsafeBitCast(symbol, to: SetOption.self)(mmapThreshold, 1 << 20)
  }
}
