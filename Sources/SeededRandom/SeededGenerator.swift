/// A small, fast, reproducible random generator: the same seed gives the same numbers on every machine.
///
/// xoshiro256** 1.0 by David Blackman and Sebastiano Vigna ("Scrambled linear pseudorandom number
/// generators", 2018). SplitMix64 fills its four state words from the seed, as the authors recommend. Not for
/// cryptography. It is `Codable` so that a checkpoint can store it.
package struct SeededGenerator: RandomNumberGenerator, Sendable, Equatable, Codable {
  private var state0: UInt64
  private var state1: UInt64
  private var state2: UInt64
  private var state3: UInt64

  /// Derives the state from `seed`. Generators with the same seed and different `stream`s are independent, so
  /// one seed can serve several purposes.
  package init(seed: UInt64, stream: UInt64 = 0) {
    var mixer = SplitMix64(state: stream)
    var source = SplitMix64(state: seed ^ (stream == 0 ? 0 : mixer.next()))
    self.init(state: (source.next(), source.next(), source.next(), source.next()))
  }

  package init(state: (UInt64, UInt64, UInt64, UInt64)) {
    (state0, state1, state2, state3) = state
  }

  /// The next 64 random bits.
  package mutating func next() -> UInt64 {
    let result = rotateLeft(state1 &* 5, by: 7) &* 9
    let shifted = state1 << 17
    state2 ^= state0
    state3 ^= state1
    state1 ^= state2
    state0 ^= state3
    state2 ^= shifted
    state3 = rotateLeft(state3, by: 45)
    return result
  }

  /// A uniformly distributed integer in `0 ..< bound`.
  ///
  /// Uses Lemire's multiplication method with rejection ("Fast random integer generation in an interval",
  /// 2019).
  ///
  /// - Precondition: `bound > 0`.
  package mutating func below(_ bound: Int) -> Int {
    precondition(bound > 0, "the bound must be positive")
    let range = UInt64(bound)
    var product = next().multipliedFullWidth(by: range)
    if product.low < range {
      let threshold = (0 &- range) % range
      while product.low < threshold { product = next().multipliedFullWidth(by: range) }
    }
    return Int(product.high)
  }

  /// A number in `0 ..< 1` with 53 random bits.
  package mutating func unit() -> Double {
    Double(next() >> 11) * 0x1p-53
  }

  /// A uniformly chosen element.
  ///
  /// - Precondition: `elements` is not empty.
  package mutating func pick<Element>(_ elements: [Element]) -> Element {
    elements[below(elements.count)]
  }
}

/// Steele, Lea and Flood's SplitMix64 ("Fast splittable pseudorandom number generators", 2014), in the
/// version published by Vigna.
package struct SplitMix64 {
  package var state: UInt64

  package init(state: UInt64) {
    self.state = state
  }

  package mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }
}

private func rotateLeft(_ value: UInt64, by count: UInt64) -> UInt64 {
  (value << count) | (value >> (64 - count))
}

extension Array {
  /// A shuffled copy (Fisher–Yates). The order for a given generator state is part of this function's
  /// contract. The standard library's `shuffled(using:)` does not guarantee its order.
  package func shuffled(by generator: inout SeededGenerator) -> [Element] {
    var copy = self
    for last in stride(from: count - 1, to: 0, by: -1) {
      copy.swapAt(last, generator.below(last + 1))
    }
    return copy
  }

  /// A shuffled copy; the same seed and count always give the same order.
  package func shuffled(seed: UInt64) -> [Element] {
    var generator = SeededGenerator(seed: seed)
    return shuffled(by: &generator)
  }
}
