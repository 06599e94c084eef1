import SeededRandom
/// The facts of a scene that decide its answers.
package struct Circumstances: Sendable, Equatable {
  package var group: Agent.Group
  package var cue: Cue
  package var light: Light
  package var grip: Grip
  package var leftLane: LeftLane
  package var wish: Wish
  package var closure: Closure

  package var prediction: Prediction { IoVRules.prediction(cue: cue, light: light) }

  package var manoeuvre: Manoeuvre {
    IoVRules.manoeuvre(group: group, prediction: prediction, grip: grip, leftLane: leftLane)
  }

  package var routeAction: RouteAction {
    IoVRules.routeAction(manoeuvre: manoeuvre, wish: wish, closure: closure)
  }
}

/// How often each combination of facts occurs. The weights are chosen so that every task's answers are
/// about equally frequent and a task's own inputs tell little about its answer without its parents' answers.
package enum IoVDistribution {
  /// Every combination that occurs, with its weight.
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
                  let weight = weight(of: circumstances)
                  if weight > 0 { result.append((circumstances, weight)) }
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

  /// Draws one combination.
  static func draw(from generator: inout SeededGenerator) -> Circumstances {
    var rest = generator.below(total)
    for (circumstances, weight) in weighted {
      if rest < weight { return circumstances }
      rest -= weight
    }
    preconditionFailure("the weights do not add up to their total")
  }

  private static func weight(of facts: Circumstances) -> Int {
    let motion =
      switch (facts.cue, facts.light) {
      case (.braking, .red): 2
      case (.braking, .green): 9
      case (.steady, .red): 3
      case (.steady, .green): 10
      // Whoever turns off does so at a green light, or the car would have to stop for the light instead.
      case (.turning, .red): 0
      case (.turning, .green): 9
      case (.unsteady, .red): 3
      case (.unsteady, .green): 7
      }
    let road = (facts.grip == .good ? 4 : 1) * (facts.leftLane == .free ? 7 : 3)
    let trip = facts.wish == .comfort && facts.closure == .leftLane ? 2 : 3
    let balance =
      switch facts.manoeuvre {
      case .brake: 8
      case .follow: 10
      case .overtake: 17
      case .hold: 12
      }
    return motion * road * trip * balance
  }
}
