/// The rules behind the `chain`, `tree` and `diamond` data. Every gold answer is computed here and nowhere else.
package enum RelayRules {
  /// The track on which a wagon leaves the points of station number `station`. Every station's points are built in their
  /// own way: at one position of the handle a wagon stays on its track, at the other one two tracks are exchanged.
  ///
  /// - Parameters:
  ///   - station: the station's number, from 1.
  ///   - arrival: the track on which the wagon arrives.
  ///   - handle: the position of the handle.
  package static func departure(station: Int, arrival: Track, handle: Handle) -> Track {
    let straight = station % 2 == 0 ? Handle.left : .right
    let untouched = Track.allCases[station % 3]
    guard handle != straight, arrival != untouched else { return arrival }
    return Track.allCases.first { $0 != untouched && $0 != arrival } ?? arrival
  }

  /// The track on which the wagon that is called leaves a station with two arrivals, where a turntable is fixed. In a
  /// diamond, every third station is one.
  package static func departure(station: Int, called: Track) -> Track {
    called.turned(by: station / 3 % 3)
  }
}

/// One of three tracks.
package enum Track: String, WorldAnswer {
  case one = "track one"
  case two = "track two"
  case three = "track three"

  /// The track that is `count` tracks further round.
  func turned(by count: Int) -> Track {
    let tracks = Self.allCases
    let place = tracks.firstIndex(of: self) ?? 0
    return tracks[(place + count) % tracks.count]
  }
}

/// A position of the points' handle.
package enum Handle: CaseIterable, Sendable { case left, right }
