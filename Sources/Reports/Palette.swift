/// The colours of pages and figures, light and dark, as style sheets.
enum Palette {
  /// The variables.
  static let colours = """
    :root{--bg:#fff;--fg:#1c2024;--soft:#60666d;--rule:#d9dde1;--card:#f5f7f9;--masked:#e7eaed;--frozen:#9fb3c8;--trained:#1f7a5c;\
    --k0:#1f6fb2;--k1:#c2571a;--k2:#1f7a5c;--k3:#8a3fa0;--k4:#b3264a;--k5:#6b6f00;--k6:#00767f;--k7:#7a5230}
    @media (prefers-color-scheme:dark){:root{--bg:#15181b;--fg:#e6e9ec;--soft:#9aa3ab;--rule:#343a40;--card:#1e2328;\
    --masked:#2a3036;--frozen:#56708a;--trained:#3fae87;\
    --k0:#6db3f2;--k1:#f0935a;--k2:#4fc79b;--k3:#c98ae0;--k4:#f07f9c;--k5:#c9cc4a;--k6:#4fc3cc;--k7:#cfa27c}}
    """

  /// What is drawn in SVG.
  static let shapes = """
    svg text{fill:var(--fg);font:12px system-ui,sans-serif}
    svg .tick{fill:var(--soft)}
    svg .axis{fill:var(--soft);font-weight:600}
    svg .name{font-size:13px}
    .grid{stroke:var(--rule);stroke-width:1}
    .band{fill:var(--card)}
    .line{fill:none;stroke-width:2;stroke-linejoin:round}
    .whisker{stroke:var(--fg);stroke-width:1.5}
    \((0..<SVG.colours).map { ".line.c\($0){stroke:var(--k\($0))}.dot.c\($0),.bar.c\($0){fill:var(--k\($0))}.swatch.c\($0){background:var(--k\($0))}" }.joined(separator: "\n"))
    """
}
