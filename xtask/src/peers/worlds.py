"""Simulates an estate of zones with mal-simulator: hosts, hosts in a zone, worlds.

Prints the hosts lost in a world and the seconds it took, both as means.
"""

import os
import sys
import time

# The simulator writes its logs where it stands.
os.chdir(os.path.dirname(os.path.abspath(__file__)))

from malsim import MalSimulator
from malsim.config.agent_settings import AttackerSettings
from malsim.config.sim_settings import MalSimulatorSettings
from maltoolbox.attackgraph import AttackGraph
from maltoolbox.language import LanguageGraph
from maltoolbox.model import Model

hosts, in_zone, worlds = (int(it) for it in sys.argv[1:4])
language = LanguageGraph.load_from_file("estate.mal")
model = Model("estate", language)
zones = range(hosts // in_zone)
for zone in zones:
    members = {model.add_asset("Host", f"h{zone}-{at}") for at in range(in_zone)}
    model.add_asset("Zone", f"zone{zone}").add_associated_assets("hosts", members)
entries = {f"zone{zone}:reach" for zone in zones}
attacker = AttackerSettings(name="attacker", entry_points=entries)
graph = AttackGraph(language, model)
simulator = MalSimulator(graph, [attacker], MalSimulatorSettings(seed=1))
lost = 0
start = time.perf_counter()
for _ in range(worlds):
    states = simulator.reset()
    while not simulator.done() and states["attacker"].action_surface:
        states = simulator.step({"attacker": list(states["attacker"].action_surface)})
    lost += sum(node.name == "root" for node in states["attacker"].performed_nodes)
seconds = time.perf_counter() - start
print(lost / worlds, seconds / worlds)
