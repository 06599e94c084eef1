import Checkpoint

/// The seven linear layers of a Llama block, by their Hugging Face names.
package enum Projection: String, Sendable, CaseIterable, Codable, Hashable {
  // swift-format-ignore: AlwaysUseLowerCamelCase
  case q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj

  /// The parent module: `self_attn` or `mlp`.
  package var module: String {
    switch self {
    case .q_proj, .k_proj, .v_proj, .o_proj: "self_attn"
    case .gate_proj, .up_proj, .down_proj: "mlp"
    }
  }

  /// `[outputs, inputs]` of its weight.
  package func shape(in configuration: LlamaConfiguration) -> (outputs: Int, inputs: Int) {
    let queries = configuration.headCount * configuration.headDimension
    let keys = configuration.keyValueHeadCount * configuration.headDimension
    return switch self {
    case .q_proj: (queries, configuration.hiddenSize)
    case .k_proj, .v_proj: (keys, configuration.hiddenSize)
    case .o_proj: (configuration.hiddenSize, queries)
    case .gate_proj, .up_proj: (configuration.intermediateSize, configuration.hiddenSize)
    case .down_proj: (configuration.hiddenSize, configuration.intermediateSize)
    }
  }
}

/// Linear layers with the same input, with their A matrices stacked into one.
enum FusedProjection: Int, CaseIterable {
  case qkv, attentionOutput, gateUp, down

  var projections: [Projection] {
    switch self {
    case .qkv: [.q_proj, .k_proj, .v_proj]
    case .attentionOutput: [.o_proj]
    case .gateUp: [.gate_proj, .up_proj]
    case .down: [.down_proj]
    }
  }
}

/// One adapted linear layer of a model.
package struct TargetModule: Sendable, Hashable, Codable {
  /// The transformer block, from 0.
  package var layer: Int
  /// The linear layer within the block.
  package var projection: Projection
  /// The rows of its weight.
  package var outputs: Int
  /// The columns of its weight.
  package var inputs: Int

  package init(layer: Int, projection: Projection, outputs: Int, inputs: Int) {
    (self.layer, self.projection, self.outputs, self.inputs) = (layer, projection, outputs, inputs)
  }

  /// The Hugging Face path of the module, such as `model.layers.0.self_attn.q_proj`.
  package var path: String { "model.layers.\(layer).\(projection.module).\(projection.rawValue)" }

  /// The target modules of `layers` for the projections `targets`: block by block, in the order of
  /// ``Projection``.
  package static func all(
    _ configuration: LlamaConfiguration, layers: Range<Int>, targets: Set<Projection>
  ) -> [TargetModule] {
    layers.flatMap { layer in
      Projection.allCases.filter(targets.contains).map { projection in
        let shape = projection.shape(in: configuration)
        return TargetModule(
          layer: layer, projection: projection, outputs: shape.outputs, inputs: shape.inputs)
      }
    }
  }
}
