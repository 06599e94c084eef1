#!/usr/bin/env python3
"""Simulates the traffic of Bologna with SUMO and writes world states for 'contexture data make iov'.

    scripts/sumo_states.py --out Sources/CTrafficStates/bologna.jsonl

Needs SUMO 1.15 or later with its tools: apt-get install --no-install-recommends sumo sumo-tools
The network, the signal programs and the demand are SUMO's own scenario RealWorld/joined (Bologna, around Via Andrea
Costa and Ospedale Maggiore; Eclipse Public License 2.0), which sumo-tools installs. Each world is one stretch of its
morning peak with its own seed, demand, vehicle types, stopped vehicles and weather. Equal arguments and an equal SUMO
give equal bytes.

Each line of the output after the first is a state: a moving car near a junction (the ego), its neighbours with their
signals now and what they do within the next HORIZON seconds of the simulation, the signal and the left lane, and its
routes with their travel times now and after a stop. docs/benchmark-iov.md describes every field.
"""
import argparse
import collections
import heapq
import json
import math
import os
import random
import shutil
import sys
import tempfile

HORIZON = 8  # Seconds after which a neighbour's behaviour is read from the simulation.
WINDOW = 60  # Seconds over which the speed on an edge is averaged.
SAMPLE = 5  # Seconds between two looks at all vehicles.
WARM_UP = 240  # Seconds until the network has filled.
LONGEST = 569  # Seconds; a longer route has no one-digit number of minutes.
GOALS = 16  # Destinations that are tried for each ego.
EGOS = 8  # Egos at each look.
KEPT = 5  # States of one kind that a world keeps.
STOPS = (5, 2)  # At most so many stop every 12 seconds: where egos are, and anywhere.
TWO_WHEELS = ("motorbike", "moped", "bicycle")

# Share, SUMO class, length, acceleration, deceleration, greatest speed in m/s.
TYPES = {
    "car": (0.36, "passenger", 4.7, 2.6, 4.5, 50),
    "taxi": (0.14, "taxi", 4.8, 2.8, 4.5, 50),
    "van": (0.14, "delivery", 6.0, 2.2, 4.5, 30),
    "truck": (0.10, "truck", 8.0, 1.6, 4.0, 22),
    "motorbike": (0.10, "motorcycle", 2.2, 4.0, 6.0, 50),
    "moped": (0.08, "moped", 2.1, 1.8, 5.0, 9),
    "bicycle": (0.08, "bicycle", 1.8, 1.2, 3.0, 6),
}


def fail(message):
    sys.exit("sumo_states.py: " + message)


def find_sumo():
    """Imports SUMO's Python modules; returns the simulation interface, sumolib and the scenario's folder."""
    home = os.environ.get("SUMO_HOME", "/usr/share/sumo")
    os.environ["SUMO_HOME"] = home
    tools = os.path.join(home, "tools")
    advice = "; install it: apt-get install --no-install-recommends sumo sumo-tools, or set SUMO_HOME"
    if shutil.which("sumo") is None:
        fail("SUMO is not installed: no program 'sumo' in PATH" + advice)
    if not os.path.isdir(tools):
        fail("SUMO's tools are not in " + tools + advice)
    sys.path.append(tools)
    sys.path.append("/usr/lib/python3/dist-packages")
    try:
        import sumolib
        try:
            import libsumo as simulation  # In this process, fast.
        except ImportError:
            import traci as simulation  # The same interface over a socket.
    except ImportError as error:
        fail("SUMO's Python modules cannot be imported (%s)%s" % (error, advice))
    scenario = os.path.join(tools, "sumolib/scenario/scenarios/RealWorld/joined")
    if not os.path.isdir(scenario):
        fail("the scenario of Bologna is not in " + scenario + advice)
    return simulation, sumolib, scenario


class Roads:
    """The road graph for cars, the lanes from which only some directions can be reached, and names of places."""

    def __init__(self, sumolib, scenario):
        self.network = sumolib.net.readNet(os.path.join(scenario, "joined_buslanes.net.xml"))
        self.length, self.free, self.middle = {}, {}, {}
        self.next = collections.defaultdict(set)
        self.opposite = {}
        self.approaches = {}
        for edge in self.network.getEdges():
            if not any(lane.allows("passenger") for lane in edge.getLanes()):
                continue
            name = edge.getID()
            self.length[name] = edge.getLength()
            self.free[name] = edge.getLength() / edge.getSpeed()
            shape = edge.getShape()
            self.middle[name] = shape[len(shape) // 2]
            for lane in edge.getLanes():
                for connection in lane.getOutgoing():
                    self.next[name].add(connection.getTo().getID())
        for edge in self.network.getEdges():
            name = edge.getID()
            if name not in self.length:
                continue
            self.opposite[name] = {
                other.getID() for other in edge.getToNode().getOutgoing() if other.getToNode() == edge.getFromNode()
            }
            lanes = edge.getLanes()
            reach = [{c.getTo().getID() for c in lane.getOutgoing()} & set(self.length) for lane in lanes]
            for index in range(len(lanes) - 1):
                ours, left = reach[index] - reach[index + 1], reach[index + 1] - reach[index]
                allowed = lanes[index].allows("passenger") and lanes[index + 1].allows("passenger")
                if ours and left and allowed and edge.getLength() > 25:
                    self.approaches[name, index] = (sorted(ours), sorted(left))
        self.places(sumolib, os.path.join(scenario, "joined.rou.xml"))

    def places(self, sumolib, file):
        """The demand names its vehicles by the street where they start."""
        starts = collections.defaultdict(list)
        ends = collections.Counter()
        for trip in sumolib.xml.parse(file, "vehicle"):
            edges = trip.route[0].edges.split()
            street = trip.id.rsplit("_", 2)[0].replace("_", " ").replace("Capraia", "Caprara")
            starts[street].append(edges[0])
            ends[edges[-1]] += 1
        self.streets = {}
        for street, edges in sorted(starts.items()):
            points = [self.network.getEdge(edge).getFromNode().getCoord() for edge in edges]
            self.streets[street] = (
                sum(x for x, _ in points) / len(points), sum(y for _, y in points) / len(points))
        self.ends = sorted(edge for edge in ends if edge in self.length)

    def path(self, firsts, goal, times, penalty=()):
        """The fastest path from one of 'firsts' to 'goal' with its seconds, or None."""
        best = {}
        heap = []
        for first in firsts:
            heapq.heappush(heap, (times[first] * (3 if first in penalty else 1), first, None))
        while heap:
            cost, edge, before = heapq.heappop(heap)
            if edge in best:
                continue
            best[edge] = before
            if edge == goal:
                break
            for other in self.next[edge]:
                if other not in best and other in times:
                    heapq.heappush(heap, (cost + times[other] * (3 if other in penalty else 1), other, edge))
        if goal not in best:
            return None
        path = [goal]
        while best[path[-1]] is not None:
            path.append(best[path[-1]])
        return path[::-1]

    def street(self, path, other, taken):
        """The street nearest to the part of 'path' that 'other' does not have."""
        own = [edge for edge in path if edge not in other] or path
        def distance(street):
            x, y = self.streets[street]
            return min(math.hypot(x - self.middle[e][0], y - self.middle[e][1]) for e in own)
        return min((s for s in self.streets if s not in taken), key=lambda s: (distance(s), s))


class World:
    """One simulation."""

    def __init__(self, simulation, roads, scenario, number, seed, seconds, folder):
        self.sumo, self.roads, self.number = simulation, roads, number
        self.random = random.Random(seed * 1000 + number)
        self.seconds = seconds
        self.begin = self.random.randrange(0, max(1, 3500 - WARM_UP - seconds))
        self.rain_first = number % 2 == 1
        self.pending, self.states = [], []
        self.window = collections.defaultdict(collections.deque)
        self.recent = {}
        types = os.path.join(folder, "types.add.xml")
        with open(types, "w", encoding="utf-8") as file:
            file.write(vehicle_types())
        files = [types] + [
            os.path.join(scenario, "joined_" + name + ".add.xml") for name in ("bus_stops", "tls", "busses")]
        scale = self.random.uniform(0.45, 0.7)
        simulation.start([
            "sumo", "-n", os.path.join(scenario, "joined_buslanes.net.xml"),
            "-r", os.path.join(scenario, "joined.rou.xml"), "-a", ",".join(files), "-b", str(self.begin),
            "--seed", str(seed * 1000 + number), "--scale", "%.3f" % scale, "--no-step-log", "--no-warnings",
            "--time-to-teleport", "180"])

    def run(self):
        sumo = self.sumo
        self.weather(self.rain_first)
        for step in range(WARM_UP + self.seconds + 130):
            sumo.simulationStep()
            self.now = int(sumo.simulation.getTime())
            self.alive = set(sumo.vehicle.getIDList())
            if step == WARM_UP + self.seconds // 2:
                self.weather(not self.rain_first)
            if step % SAMPLE == 0:
                self.measure_edges()
            self.follow_up()
            if step % 12 == 0:
                self.stop_somebody()
            if WARM_UP <= step < WARM_UP + self.seconds and step % SAMPLE == 0:
                self.look()
        sumo.close()
        return sorted(self.states, key=lambda state: (state["time"], state["id"]))

    def weather(self, rain):
        """On a wet road, vehicles accelerate and brake less and keep a longer headway."""
        self.rain = rain
        for name in self.sumo.vehicletype.getIDList():
            base = TYPES.get(name.split("_")[0])
            if base is not None:
                self.sumo.vehicletype.setAccel(name, base[3] * (0.7 if rain else 1))
                self.sumo.vehicletype.setDecel(name, base[4] * (0.7 if rain else 1))
                self.sumo.vehicletype.setTau(name, 1.4 if rain else 1.0)

    def stop_somebody(self):
        """Vehicles stop in their lane, as for a delivery or a passenger: mostly where somebody may overtake them."""
        sumo = self.sumo
        chosen = [
            name for name in sorted(self.alive)
            if self.kind(name) in TYPES and sumo.vehicle.getRoadID(name) in self.roads.length
            and sumo.vehicle.getSpeed(name) > 4]
        watched = [
            name for name in chosen
            if (sumo.vehicle.getRoadID(name), sumo.vehicle.getLaneIndex(name)) in self.roads.approaches]
        for names, count in ((watched, STOPS[0]), (chosen, STOPS[1])):
            for name in self.random.sample(names, min(count, len(names))):
                lane = sumo.vehicle.getLaneID(name)
                place = sumo.vehicle.getLanePosition(name) + 45
                if place < sumo.lane.getLength(lane) - 20:
                    try:
                        sumo.vehicle.setStop(
                            name, sumo.vehicle.getRoadID(name), place, sumo.vehicle.getLaneIndex(name),
                            self.random.randrange(40, 160))
                    except Exception:  # Too near to stop there, or it stops already.
                        continue

    def kind(self, name):
        return self.sumo.vehicle.getTypeID(name).split("_")[0]

    def measure_edges(self):
        for edge in self.roads.length:
            count = self.sumo.edge.getLastStepVehicleNumber(edge)
            window = self.window[edge]
            if count:
                window.append((self.now, count, count * self.sumo.edge.getLastStepMeanSpeed(edge)))
            while window and window[0][0] < self.now - WINDOW:
                window.popleft()

    def times(self):
        """Seconds per edge: its length over the mean speed of the last WINDOW seconds."""
        result = {}
        for edge, length in self.roads.length.items():
            window = self.window[edge]
            vehicles = sum(count for _, count, _ in window)
            speed = sum(total for _, _, total in window) / vehicles if vehicles else None
            free = self.roads.free[edge]
            result[edge] = free if speed is None else max(free, length / max(speed, 0.5))
        return result

    def look(self):
        """Chooses egos and notes what is around them."""
        sumo = self.sumo
        times, number = None, 0
        for (edge, index) in self.random.sample(sorted(self.roads.approaches), len(self.roads.approaches)):
            lane = "%s_%d" % (edge, index)
            order = sorted(sumo.lane.getLastStepVehicleIDs(lane), key=lambda v: -sumo.vehicle.getLanePosition(v))
            for place, name in enumerate(order):
                if number == EGOS:
                    return
                if place == 0 or self.kind(name) not in ("car", "taxi") or sumo.vehicle.getSpeed(name) < 3:
                    continue
                if self.recent.get(name, -99) > self.now - 10:
                    continue
                if sumo.lane.getLength(lane) - sumo.vehicle.getLanePosition(name) < 15:
                    continue
                cars = self.neighbours(name, edge, index)
                if cars is None:
                    continue
                times, number = times or self.times(), number + 1
                self.note(name, edge, index, cars, times)

    def neighbours(self, ego, edge, index):
        sumo = self.sumo
        place = sumo.vehicle.getLanePosition(ego)
        angle, (x, y) = sumo.vehicle.getAngle(ego), sumo.vehicle.getPosition(ego)
        found = []
        for name in self.around(edge):
            if name == ego:
                continue
            other = sumo.vehicle.getPosition(name)
            distance = math.hypot(other[0] - x, other[1] - y)
            if distance > 110:
                continue
            turn = abs((sumo.vehicle.getAngle(name) - angle + 180) % 360 - 180)
            gap = distance
            if sumo.vehicle.getRoadID(name) == edge:
                lead = sumo.vehicle.getLanePosition(name) - place
                gap = lead - sumo.vehicle.getLength(name) if lead > 0 else -lead - sumo.vehicle.getLength(ego)
                side = sumo.vehicle.getLaneIndex(name) - index
                where = "own" if side == 0 else "left" if side > 0 else "right"
                where += " ahead" if lead > 0 else " behind"
                gap = max(0, gap)
            elif turn > 150:
                where = "oncoming"
            elif 60 < turn < 120:
                where = "crossing"
            else:
                continue
            signals = sumo.vehicle.getSignals(name)
            found.append({
                "name": name, "type": self.kind(name), "where": where, "gap": round(gap),
                "speed": round(sumo.vehicle.getSpeed(name), 1),
                "acceleration": round(sumo.vehicle.getAcceleration(name), 1),
                "brake": bool(signals & 8), "blink": "left" if signals & 2 else "right" if signals & 1 else "off",
                "angle": sumo.vehicle.getAngle(name), "lane": sumo.vehicle.getLaneID(name),
                "road": sumo.vehicle.getRoadID(name)})
        ahead = [c for c in found if c["where"] == "own ahead"]
        if not ahead:
            return None
        hazard = min(ahead, key=lambda c: (c["gap"], c["name"]))
        if hazard["gap"] > 70:
            return None
        # The nearest three of other types for each thing that a neighbour may be expected to do.
        chosen = [hazard]
        kinds = collections.defaultdict(set)
        for car in sorted(found, key=lambda c: (c["gap"], c["name"])):
            types = kinds[expectation(row(car))]
            if car["type"] != hazard["type"] and car["type"] not in types and len(types) < 3:
                types.add(car["type"])
                chosen.append(car)
        return chosen

    def around(self, edge):
        """Vehicles on the edge, on the opposite one, and on those that end or start at its junction."""
        node = self.roads.network.getEdge(edge).getToNode()
        near = {edge} | self.roads.opposite[edge]
        near |= {e.getID() for e in node.getIncoming()} | {e.getID() for e in node.getOutgoing()}
        return sorted(v for e in near for v in self.sumo.edge.getLastStepVehicleIDs(e))

    def note(self, ego, edge, index, cars, times):
        sumo, roads = self.sumo, self.roads
        ours, left = roads.approaches[edge, index]
        place = sumo.vehicle.getLanePosition(ego)
        rest = roads.length[edge] - place
        goals = []
        for goal in self.random.sample(roads.ends, min(GOALS, len(roads.ends))):
            if goal != edge and goal not in ours and goal not in left:
                groups = [self.pair(group, goal, times) for group in (ours, left)]
                if all(groups):
                    goals.append((goal, groups))
        if not goals:
            return
        self.recent[ego] = self.now
        left_gaps = [99, 99]
        for other in sumo.lane.getLastStepVehicleIDs("%s_%d" % (edge, index + 1)):
            lead = sumo.vehicle.getLanePosition(other) - place
            if lead >= 0:
                left_gaps[0] = min(left_gaps[0], round(max(0, lead - sumo.vehicle.getLength(other))))
            else:
                left_gaps[1] = min(left_gaps[1], round(max(0, -lead - sumo.vehicle.getLength(ego))))
        lights = [self.light(edge, index, group) for group in (ours, left)]
        self.pending.append({
            "id": ego, "start": self.now, "edge": edge, "index": index, "goals": goals,
            "firsts": (ours, left), "rest": rest, "cars": cars, "lights": lights, "light": self.signal(lights[0]), "left": left_gaps,
            "speed": round(sumo.vehicle.getSpeed(ego), 1), "rain": self.rain, "red": [None, None], "times": times})

    def pair(self, firsts, goal, times):
        """The fastest path and another one."""
        roads = self.roads
        best = roads.path(firsts, goal, times)
        if best is None or self.cost(best, times) > LONGEST:
            return None
        other = roads.path(firsts, goal, times, penalty=set(best[:-1]))
        if other == best or other is None or self.cost(other, times) > LONGEST:
            return None
        return [best, other]

    def cost(self, path, times):
        return sum(times[edge] for edge in path)

    def light(self, edge, index, firsts):
        """The signal for the lane's connection to one of 'firsts': its position in the signal program."""
        lane = self.roads.network.getEdge(edge).getLane(index if firsts is self.roads.approaches[edge, index][0] else index + 1)
        for connection in lane.getOutgoing():
            if connection.getTo().getID() in firsts and connection.getTLSID():
                return connection.getTLSID(), connection.getTLLinkIndex()
        return None

    def signal(self, light):
        if light is None:
            return "none"
        return self.sumo.trafficlight.getRedYellowGreenState(light[0])[light[1]].lower()

    def follow_up(self):
        """Completes the states that were noted HORIZON seconds ago or whose signal turns green after a stop."""
        remaining = []
        for state in self.pending:
            age = self.now - state["start"]
            for side in (0, 1):
                # The wait for the next green: zero while it is green.
                if state["red"][side] is None and self.signal(state["lights"][side]) in ("g", "o", "none"):
                    state["red"][side] = age
            if age == HORIZON:
                for car in state["cars"]:
                    self.outcome(car)
            stopped = age >= HORIZON + 4 and self.signal(state["lights"][0]) in ("g", "o", "none")
            if stopped and None not in state["red"]:
                self.finish(state, age)
            elif age < 120:
                remaining.append(state)
        self.pending = remaining

    def outcome(self, car):
        sumo, name = self.sumo, car["name"]
        if name not in self.alive:
            car["moved"], car["later"] = "gone", 0
            return
        car["later"] = round(sumo.vehicle.getSpeed(name), 1)
        lane, road = sumo.vehicle.getLaneID(name), sumo.vehicle.getRoadID(name)
        turn = (sumo.vehicle.getAngle(name) - car["angle"] + 180) % 360 - 180
        if road == car["road"]:
            car["moved"] = "same lane" if lane == car["lane"] else "other lane"
        else:
            car["moved"] = "turned" if abs(turn) > 40 else "straight on"

    def finish(self, state, age):
        """Writes the state with the destination whose routes differ most clearly."""
        times = self.times()
        choices = [self.routes(state, goal, groups, age, times) for goal, groups in state["goals"]]
        choices = [choice for choice in choices if choice is not None]
        if not choices:
            return
        # Preferably a destination for which a stop changes the fastest route.
        ours, beside = next((choice for choice in choices if stop_matters(choice[0])), choices[0])
        self.states.append({
            "world": self.number, "time": state["start"], "id": state["id"], "edge": state["edge"],
            "lane": state["index"], "speed": state["speed"], "road": "wet" if state["rain"] else "dry",
            "light": {"g": "green", "r": "red", "n": "none"}.get(state["light"][0], "yellow"),
            "left": state["left"],
            "cars": [row(car) for car in state["cars"]],
            "ours": ours, "beside": beside})

    def routes(self, state, goal, groups, age, times):
        """Two routes from our lane with the seconds now and after a stop, and two from the left lane; None unless
        the minutes differ within each pair."""
        roads = self.roads
        ours, left = groups
        # After the stop another path may be the fastest: it becomes the alternative.
        later = roads.path(state["firsts"][0], goal, times)
        if later is not None and self.cost(later, times) < self.cost(ours[0], times):
            ours = [ours[0], later]
        approach = state["rest"] / max(state["speed"], 5)
        waits = [max(approach, red) for red in state["red"]]
        before = [waits[0] + self.cost(path, state["times"]) for path in ours]
        beside = [waits[1] + self.cost(path, state["times"]) for path in left]
        after = [age + self.cost(path, times) for path in ours]
        minutes = [[(round(seconds) + 30) // 60 for seconds in pair] for pair in (before, beside, after)]
        if not 30 <= min(before + beside + after) <= max(before + beside + after) <= LONGEST or any(a == b for a, b in minutes):
            return None
        # The path that is named first gets the nearest street: in a random order, so that names reveal nothing.
        paths = [(ours, 0), (ours, 1), (left, 0), (left, 1)]
        names = {}
        for place in self.random.sample(range(4), 4):
            pair, index = paths[place]
            names[place] = roads.street(pair[index], pair[1 - index], names.values())
        return ([[names[i], round(before[i]), round(after[i])] for i in (0, 1)],
                [[names[2 + i], round(beside[i])] for i in (0, 1)])


def row(car):
    """A neighbour as a line of the output."""
    return [
        car["type"], car["where"], car["gap"], car["speed"], car["acceleration"], int(car["brake"]), car["blink"],
        car.get("later"), car.get("moved")]


def expectation(car):
    """What the signals of a car announce: the class that a driver behind would expect."""
    _, _, _, speed, acceleration, brake, blink, _, _ = car
    if speed < 0.5 or (brake and acceleration <= -1):
        return "stops"
    return "turns off" if blink != "off" else "keeps going"


def outcome(car):
    """What the simulation says that it did."""
    _, _, _, speed, _, _, _, later, moved = car
    if moved in ("other lane", "turned", "gone"):
        return "turns off"
    if later <= 1:
        return "stops"
    return "keeps going" if later >= 0.7 * speed and speed > 2 else "unclear"


def stop_matters(ours):
    """Whether after a stop another route from our lane is the fastest."""
    return (ours[0][1] < ours[1][1]) != (ours[0][2] < ours[1][2])


def selection(states):
    """At most KEPT states of each kind: the hazard does what its signals announce, and two other neighbours of
    different types announce the two other things."""
    kinds = collections.Counter()
    for state in states:
        hazard = state["cars"][0]
        if expectation(hazard) != outcome(hazard):
            continue
        rest = [
            {car[0] for car in state["cars"] if car[1] != "own ahead" and expectation(car) == thing}
            for thing in ("stops", "keeps going", "turns off") if thing != outcome(hazard)]
        if not all(rest) or len(rest[0] | rest[1]) < 2:
            continue
        if state["light"] not in ("red", "green"):
            continue
        kind = (
            outcome(hazard), hazard[0] in TWO_WHEELS, state["light"],
            state["left"][0] > 20 and state["left"][1] > 12, state["road"],
            stop_matters(state["ours"]))
        kinds[kind] += 1
        if kinds[kind] <= KEPT:
            yield state


def vehicle_types():
    lines = ["<additional>"]
    for distribution in ("private", "ignoring"):
        lines.append('<vTypeDistribution id="%s">' % distribution)
        for name, (share, kind, length, accel, decel, fastest) in TYPES.items():
            lines.append(
                '<vType id="%s_%s" vClass="%s" length="%s" accel="%s" decel="%s" maxSpeed="%s" minGap="1.5" '
                'sigma="0.5" probability="%s"/>' % (
                    name, distribution, kind if distribution == "private" else "ignoring", length, accel, decel,
                    fastest, share))
        lines.append("</vTypeDistribution>")
    lines.append('<vType id="bus" vClass="bus" length="12" accel="1.5" decel="4" minGap="3" maxSpeed="22"/>')
    return "\n".join(lines + ["</additional>"])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", required=True, help="the file to write")
    parser.add_argument("--worlds", type=int, default=30, help="number of simulations (default 30)")
    parser.add_argument("--seconds", type=int, default=900, help="simulated seconds per world (default 900)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--raw", action="store_true", help="write every state, not a selection")
    options = parser.parse_args()
    if options.worlds < 3 or not 60 <= options.seconds <= 3000:
        fail("use at least 3 worlds and 60 to 3000 seconds")
    simulation, sumolib, scenario = find_sumo()
    roads = Roads(sumolib, scenario)
    states = []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(options.worlds):
            world = World(simulation, roads, scenario, number, options.seed, options.seconds, folder)
            found = world.run()
            kept = found if options.raw else list(selection(found))
            states += kept
            print("world %d: %d of %d states" % (number, len(kept), len(found)), file=sys.stderr, flush=True)
    with open(options.out, "w", encoding="utf-8") as file:
        for state in states:
            file.write(json.dumps(state, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
