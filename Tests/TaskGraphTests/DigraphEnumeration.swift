import TaskGraph

/// Every directed graph of `count` nodes without self-edges, as one bit per ordered pair of nodes.
struct Digraph {
  let count: Int
  /// `parents[v]` has bit `p` set for an edge `p -> v`.
  let parents: [UInt8]

  /// All `2^(n(n-1))` graphs.
  static func each(of count: Int, _ body: (Digraph) throws -> Void) rethrows {
    let pairs = count * (count - 1)
    for code in 0..<(1 << pairs) {
      var parents = [UInt8](repeating: 0, count: count)
      var bit = 0
      for v in 0..<count {
        for p in 0..<count where p != v {
          if code >> bit & 1 == 1 { parents[v] |= 1 << UInt8(p) }
          bit += 1
        }
      }
      try body(Digraph(count: count, parents: parents))
    }
  }

  func hasEdge(_ p: Int, _ v: Int) -> Bool { parents[v] >> UInt8(p) & 1 == 1 }

  /// `closure[v]` has bit `a` set if a path of at least one edge leads from `a` to `v` (Warshall).
  var closure: [UInt8] {
    var reach = parents
    for middle in 0..<count {
      for v in 0..<count where reach[v] >> UInt8(middle) & 1 == 1 { reach[v] |= reach[middle] }
    }
    return reach
  }

  /// Whether some node reaches itself; independent of Kahn's algorithm.
  var isCyclic: Bool { closure.enumerated().contains { $1 >> UInt8($0) & 1 == 1 } }

  /// The number of nodes on the longest path that ends in `v`; only for acyclic graphs.
  func depth(_ v: Int) -> Int {
    1 + ((0..<count).filter { hasEdge($0, v) }.map(depth).max() ?? 0)
  }

  static let names = ["a", "b", "c", "d", "e"]

  var tasks: [(name: String, parents: [String])] {
    (0..<count).map { v in
      (Self.names[v], (0..<count).filter { hasEdge($0, v) }.map { Self.names[$0] })
    }
  }
}
