import SeededRandom
/// The facts of a scene that determine its answers.
package struct Circumstances: Sendable, Equatable {
  package var group: Agent.Group
  package var cue: Cue
  package var light: Light
  package var grip: Grip
  package var leftLane: LeftLane
  package var wish: Wish
  package var closure: Closure

  package var prediction: Prediction { IoVRules.prediction(cue: cue) }

  package var manoeuvre: Manoeuvre {
    IoVRules.manoeuvre(
      group: group, prediction: prediction, light: light, grip: grip, leftLane: leftLane)
  }

  package var routeAction: RouteAction {
    IoVRules.routeAction(manoeuvre: manoeuvre, wish: wish, closure: closure)
  }
}

/// The distribution of the facts. The weights are chosen so that each task's answers are about equally
/// frequent and a task's own inputs reveal little about its answer without the parents' answers.
package enum IoVDistribution {
  /// Every possible combination, with its weight.
  package static let weighted: [(circumstances: Circumstances, weight: Int)] = {
    var result: [(Circumstances, Int)] = []
    for group in Agent.Group.allCases {
      for cue in Cue.allCases {
        for light in Light.allCases {
          for grip in Grip.allCases {
            for leftLane in LeftLane.allCases {
              for wish in Wish.allCases {
                for closure in Closure.allCases {
                  let circumstances = Circumstances(
                    group: group, cue: cue, light: light, grip: grip, leftLane: leftLane, wish: wish,
                    closure: closure)
                  result.append((circumstances, weight(of: circumstances)))
                }
              }
            }
          }
        }
      }
    }
    return result
  }()

  private static let total = weighted.reduce(0) { $0 + $1.weight }

  /// Samples one combination.
  static func draw(from generator: inout SeededGenerator) -> Circumstances {
    var rest = generator.below(total)
    for (circumstances, weight) in weighted {
      if rest < weight { return circumstances }
      rest -= weight
    }
    preconditionFailure("the weights do not add up to their total")
  }

  private static func weight(of facts: Circumstances) -> Int {
    let motion = facts.cue == .turning ? 3 : 4
    let light = facts.light == .red ? 1 : 9
    let road = (facts.grip == .good ? 3 : 1) * (facts.leftLane == .free ? 4 : 1)
    let trip = facts.closure.isAhead(after: facts.manoeuvre) ? 3 : 2
    return motion * light * road * trip
  }
}
