#!/usr/bin/env python3
"""Extracts the profile of a road from the sample data of the Python package traffic-anomaly.

    pip install traffic-anomaly==2.5.4 pyarrow pandas
    scripts/city-profile.py > Sources/BenchmarkWorlds/City/Profile/profile.csv

The rows are medians and spreads on working days, by hour from 6 to 19:

    detector    vehicles in 15 minutes at one detector of intersection 85; detectors with at least 50 in some hour
    stretch     travel time in seconds on one stretch of SE Sunnyside Rd

The spread is the median absolute deviation times 1.4826, which is the standard deviation of normal data. The package's
sample of the connectivity names only the stretches themselves, so the order of stretches is not in the profile.
"""
import importlib.metadata
import pathlib
import sys

import pandas

VERSION = "2.5.4"
HOURS = range(6, 20)


def profile(kind, table, key, value):
    table = table[(table.timestamp.dt.day_of_week < 5) & table.timestamp.dt.hour.isin(HOURS)]
    groups = table.groupby([table[key], table.timestamp.dt.hour])[value]
    median = groups.median()
    spread = groups.apply(lambda values: (values - values.median()).abs().median() * 1.4826)
    for (name, hour), middle in median.items():
        yield kind, name, hour, middle, spread[name, hour]


def main():
    found = importlib.metadata.version("traffic-anomaly")
    if found != VERSION:
        sys.exit(f"city-profile: this is traffic-anomaly {found}; install {VERSION}")
    package = importlib.metadata.distribution("traffic-anomaly")
    data = pathlib.Path(package.locate_file("traffic_anomaly/data"))
    counts = pandas.read_parquet(data / "sample_counts.parquet")
    times = pandas.read_parquet(data / "sample_travel_times.parquet")
    rows = list(profile("detector", counts, "detector", "total"))
    peaks = {}
    for _, name, _, median, _ in rows:
        peaks[name] = max(peaks.get(name, 0), median)
    rows = [row for row in rows if peaks[row[1]] >= 50]
    rows += profile("stretch", times, "id", "travel_time")
    print("kind,id,hour,median,spread")
    for kind, name, hour, median, spread in rows:
        print(f"{kind},{name},{hour},{median:.1f},{spread:.1f}")


if __name__ == "__main__":
    main()
