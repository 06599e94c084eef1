import Foundation
import Tensor

/// Rotary embedding and causal attention of one sequence in float64, directly from the definition.
struct AttentionReference {
  var shape: AttentionShape
  /// `[positions, dimension / 2]`, the float32 values that the device uses.
  var cosine: HostMatrix
  var sine: HostMatrix

  init(_ shape: AttentionShape, positions: Int) {
    self.shape = shape
    cosine = HostMatrix(rows: positions, columns: shape.dimension / 2)
    sine = cosine
    for position in 0..<positions {
      for pair in 0..<shape.dimension / 2 {
        let angle = Double(position) * pow(10_000, -2 * Double(pair) / Double(shape.dimension))
        cosine[position, pair] = ElementType.float32.rounded(cos(angle))
        sine[position, pair] = ElementType.float32.rounded(sin(angle))
      }
    }
  }

  /// fused `[count, fusedColumns]`, its first token at `position`, attending only to itself: out
  /// `[count, heads * dimension]` and the log-sum-exps `[heads, count]`.
  func forward(_ fused: HostMatrix, position: Int = 0) -> (out: HostMatrix, lse: HostMatrix) {
    let (count, dimension, heads) = (fused.rows, shape.dimension, shape.heads)
    var out = HostMatrix(rows: count, columns: heads * dimension)
    var lse = HostMatrix(rows: heads, columns: count)
    let turned = rotated(fused, position: position)
    let scale = 1 / Double(dimension).squareRoot()
    var scores = [Double](repeating: 0, count: count)
    for head in 0..<heads {
      let keyHead = heads + head / shape.group
      let valueHead = keyHead + shape.keyValueHeads
      for t in 0..<count {
        for other in 0...t {
          var sum = 0.0
          for i in 0..<dimension {
            sum += turned[t, head * dimension + i] * turned[other, keyHead * dimension + i]
          }
          scores[other] = sum * scale
        }
        let largest = scores[0...t].reduce(-Double.infinity, max)
        let total = scores[0...t].reduce(0) { $0 + exp($1 - largest) }
        lse[head, t] = largest + log(total)
        for other in 0...t {
          let p = exp(scores[other] - lse[head, t])
          for i in 0..<dimension {
            out[t, head * dimension + i] += p * turned[other, valueHead * dimension + i]
          }
        }
      }
    }
    return (out, lse)
  }

  /// Queries and keys rotated by their positions' angles; values unchanged.
  private func rotated(_ fused: HostMatrix, position: Int) -> HostMatrix {
    let (dimension, half) = (shape.dimension, shape.dimension / 2)
    var turned = fused
    for t in 0..<fused.rows {
      for head in 0..<shape.heads + shape.keyValueHeads {
        for i in 0..<half {
          let (c, s) = (cosine[position + t, i], sine[position + t, i])
          let low = fused[t, head * dimension + i]
          let high = fused[t, head * dimension + half + i]
          turned[t, head * dimension + i] = low * c - high * s
          turned[t, head * dimension + half + i] = high * c + low * s
        }
      }
    }
    return turned
  }
}
