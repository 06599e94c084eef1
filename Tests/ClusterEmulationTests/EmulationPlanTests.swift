import ClusterEmulation
import ClusterLaunch
import Testing
import Transport

@Suite struct EmulationPlanTests {
  private func plan(
    _ yaml: String =
      "{link: {bandwidth: 40 Mbit/s, delay: 2 ms, loss: 0.015}, hosts: [{name: a, cpu: 0.5, memory: 64 MiB}, {name: b}]}",
    _ change: (inout MachineFeatures) -> Void = { _ in }
  ) throws -> EmulationPlan {
    var features = MachineFeatures(namespaceObstacle: nil)
    features.limitsBandwidth = true
    features.cpu = Cgroups(.v1, .cpu, "/cg/cpu")
    features.memory = Cgroups(.v1, .memory, "/cg/memory")
    change(&features)
    return EmulationPlan(
      try EmulatedCluster(yaml: yaml, file: "e"), on: features, subnet: try #require(Subnet("10.73.0.0/24")),
      owner: 12)
  }

  @Test func theStepsOfAKernelWithoutNetem() throws {
    #expect(
      try plan().setUp.map(\.description).joined(separator: "\n") == """
        ip link add ctx12 type bridge
        ip addr add 10.73.0.254/24 dev ctx12
        ip link set ctx12 up
        ip netns add ctx12-a
        ip link add ctx12-1 type veth peer name eth0 netns ctx12-a
        ip link set ctx12-1 master ctx12 up
        ip -n ctx12-a addr add 10.73.0.1/24 dev eth0
        ip -n ctx12-a link set lo up
        ip -n ctx12-a link set eth0 up
        tc -n ctx12-a qdisc add dev eth0 root handle 1: tbf rate 40000000bit burst 4000 latency 200ms
        tc qdisc add dev ctx12-1 root handle 1: tbf rate 40000000bit burst 4000 latency 200ms
        mkdir /cg/cpu/ctx12-a
        echo 20000 > /cg/cpu/ctx12-a/cpu.cfs_period_us
        echo 10000 > /cg/cpu/ctx12-a/cpu.cfs_quota_us
        mkdir /cg/memory/ctx12-a
        echo 67108864 > /cg/memory/ctx12-a/memory.limit_in_bytes
        ip netns add ctx12-b
        ip link add ctx12-2 type veth peer name eth0 netns ctx12-b
        ip link set ctx12-2 master ctx12 up
        ip -n ctx12-b addr add 10.73.0.2/24 dev eth0
        ip -n ctx12-b link set lo up
        ip -n ctx12-b link set eth0 up
        tc -n ctx12-b qdisc add dev eth0 root handle 1: tbf rate 40000000bit burst 4000 latency 200ms
        tc qdisc add dev ctx12-2 root handle 1: tbf rate 40000000bit burst 4000 latency 200ms
        """)
    #expect(
      try plan().labour.lines == [
        "kernel: hosts as network namespaces; bandwidth (tbf); "
          + "CPU shares (cgroup v1, cpu.cfs_quota_us); memory limits (cgroup v1, memory.limit_in_bytes)",
        "transport: delay", "not emulated: loss: this kernel has no netem",
      ])
    #expect(
      try plan().linkTable
        == LinkTable(
          links: [.init(from: 0, to: 1, latency: 0.004), .init(from: 1, to: 0, latency: 0.004)],
          sharedUplink: true))
  }

  @Test func theStepsOfAKernelWithNetemAndCgroup2() throws {
    let plan = try plan {
      $0.hasNetem = true
      $0.cpu = Cgroups(.v2, .cpu, "/cg")
      $0.memory = Cgroups(.v2, .memory, "/cg")
    }
    let steps = plan.setUp.map(\.description)
    #expect(
      steps.filter { $0.contains("netem") }.first
        == "tc -n ctx12-a qdisc add dev eth0 parent 1:1 handle 10: netem delay 2ms loss 1.5% limit 20000")
    #expect(steps.filter { $0.contains("netem") }.count == 4)
    #expect(steps.contains("echo 10000 20000 > /cg/ctx12-a/cpu.max"))
    #expect(steps.contains("echo 67108864 > /cg/ctx12-a/memory.max"))
    #expect(plan.groups(of: plan.cluster.hosts[0]) == ["/cg/ctx12-a"])
    #expect(plan.linkTable == nil)
    #expect(plan.labour.transport == [] && plan.labour.nobody == [])
  }

  @Test func withoutNamespacesTheTransportDoesWhatItCan() throws {
    let plan = try plan { $0 = MachineFeatures(namespaceObstacle: "it is forbidden") }
    #expect(plan.setUp == [])
    #expect(plan.hostsFile(agent: "") == "hosts:\n  - {name: localhost, slots: 2}\n")
    #expect(plan.linkTable?.links.first == .init(from: 0, to: 1, bandwidth: 5e6, latency: 0.004))
    #expect(
      plan.labour.lines == [
        "every rank runs on this machine, because it is forbidden", "transport: bandwidth; delay",
        "not emulated: loss; CPU shares; memory limits",
      ])
  }

  @Test func aPathHasTheLowerBandwidthAndBothDelays() throws {
    let yaml = """
      hosts:
        - {name: a, link: {bandwidth: 8 Mbit/s, delay: 1 ms}}
        - {name: b, link: {bandwidth: 80 Mbit/s, delay: 5 ms}}
        - {name: c}
      """
    let links = try plan(yaml) { $0.limitsBandwidth = false }.linkTable?.links
    #expect(
      links == [
        .init(from: 0, to: 1, bandwidth: 1e6, latency: 0.006),
        .init(from: 0, to: 2, bandwidth: 1e6, latency: 0.001),
        .init(from: 1, to: 0, bandwidth: 1e6, latency: 0.006),
        .init(from: 1, to: 2, bandwidth: 1e7, latency: 0.005),
        .init(from: 2, to: 0, bandwidth: 1e6, latency: 0.001),
        .init(from: 2, to: 1, bandwidth: 1e7, latency: 0.005),
      ])
    #expect(try plan("hosts: [{name: a}, {name: b}]").linkTable == nil)
  }

  @Test func theHostsFileIsOneThatLaunchingReads() throws {
    let hosts = try Hosts(yaml: plan().hostsFile(agent: "/run/x/agent"), file: "h")
    #expect(hosts.hosts.map(\.name) == ["a", "b"])
    #expect(hosts.hosts.map(\.address) == ["10.73.0.1", "10.73.0.2"])
    #expect(hosts.network == "10.73.0.0/24")
    #expect(hosts.remoteShell == "/bin/sh /run/x/agent")
  }

  @Test func theAgentEntersGroupNamespaceAndName() throws {
    #expect(
      try plan().agent(variables: ["B": "2", "A": "1"]) == """
        #!/bin/sh
        # Starts a command on a host of the emulated cluster ctx12: sh FILE HOST COMMAND...
        host=$1
        shift
        case $host in
          'a' | 10.73.0.1) name='a' groups='/cg/cpu/ctx12-a /cg/memory/ctx12-a' ;;
          'b' | 10.73.0.2) name='b' groups='' ;;
          *) echo "no host '$host' in ctx12" >&2; exit 1 ;;
        esac
        for group in $groups; do
          echo $$ > "$group/cgroup.procs" || exit 1
        done
        export A='1'
        export B='2'
        exec nsenter --net=/run/netns/ctx12-"$name" unshare --uts \\
          sh -c 'hostname "$1"; shift; exec sh -c "$*"' sh "$name" "$@"

        """)
  }
}

@Suite struct FindingTests {
  @Test func namesTellTheirOwner() {
    for name in ["ctx12", "ctx12-1", "ctx12-a.b", "ctx4194304-200"] {
      #expect(EmulationNames(of: name)?.emulation == name.split(separator: "-").first.map(String.init))
    }
    for name in ["ctx", "ctx-1", "ctxa", "ctx12a", "eth0", "ctx99999999999"] {
      #expect(EmulationNames(of: name) == nil, "\(name)")
    }
    #expect(EmulationNames(owner: 4_194_304).port(199).utf8.count <= 15)
  }

  @Test func remainsAreRemovedFromTheLinksOn() {
    let remains = Remains(links: ["ctx1", "ctx1-1"], namespaces: ["ctx1-a"], groups: ["/cg/ctx1-a"])
    #expect(
      remains.removal.map(\.description) == [
        "ip link del ctx1", "ip link del ctx1-1", "ip netns del ctx1-a", "rmdir /cg/ctx1-a",
      ])
    #expect(Remains().isEmpty && !remains.isEmpty)
  }

  @Test func hierarchiesAreFoundInTheMounts() {
    let mounts = """
      tmpfs /sys/fs/cgroup tmpfs rw 0 0
      cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,relatime,cpu,cpuacct 0 0
      cgroup /sys/fs/cgroup/cpuset cgroup rw,relatime,cpuset 0 0
      cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0

      """
    #expect(
      Cgroups.candidates(.cpu, mounts: mounts).map(\.parent) == [
        "/sys/fs/cgroup/cpu,cpuacct", "/sys/fs/cgroup/unified",
      ])
    #expect(Cgroups.candidates(.memory, mounts: mounts).map(\.version) == [.v2])
    #expect(Cgroups.candidates(.memory, mounts: "") == [])
  }
}
