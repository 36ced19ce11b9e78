/*
 * names: what a container is called when nobody gave it a name.
 *
 * "<adjective>_<noun>" from the sea and the shipyard; a number is added when such a name is taken.
 */
#include <stdio.h>

#include "base/id.h"
#include "reconciler/engine_internal.h"

static const char *const adjectives[] = {
    "able",   "agile",  "amber",  "ample",  "azure",  "brave",  "brisk",   "bright",
    "calm",   "candid", "clever", "coral",  "cosy",   "daring", "deft",    "eager",
    "early",  "fair",   "fleet",  "fond",   "frank",  "gentle", "glad",    "golden",
    "hardy",  "hearty", "honest", "jolly",  "keen",   "kind",   "lively",  "lucid",
    "mellow", "merry",  "mild",   "modest", "nimble", "noble",  "patient", "placid",
    "plucky", "polite", "prompt", "quick",  "quiet",  "ready",  "serene",  "sharp",
    "silver", "sleek",  "snug",   "solid",  "steady", "stout",  "sturdy",  "sunny",
    "supple", "swift",  "tidy",   "trusty", "vivid",  "warm",   "witty",   "young",
};
static const char *const nouns[] = {
    "anchor",  "barge",    "beacon",  "boom",    "bosun",   "bow",     "brig",    "bulwark",
    "buoy",    "cable",    "capstan", "cargo",   "chart",   "cleat",   "clipper", "coast",
    "compass", "coxswain", "current", "cutter",  "deck",    "dinghy",  "dock",    "draught",
    "ferry",   "fender",   "galley",  "gangway", "harbour", "hatch",   "hawser",  "helm",
    "hold",    "hull",     "jetty",   "keel",    "ketch",   "lantern", "lighter", "lock",
    "mast",    "mooring",  "oar",     "pilot",   "port",    "quay",    "rigging", "rudder",
    "sail",    "schooner", "sextant", "shoal",   "skiff",   "sloop",   "spar",    "stern",
    "tide",    "tiller",   "trawler", "tug",     "wharf",   "winch",   "yard",    "yawl",
};

void name_make_up(char *out, size_t size, unsigned attempt)
{
    unsigned char dice[4];

    random_bytes(dice, sizeof(dice));
    if (attempt < 3)
        snprintf(out, size, "%s_%s", adjectives[dice[0] % ARRAY_LEN(adjectives)],
                 nouns[dice[1] % ARRAY_LEN(nouns)]);
    else
        snprintf(out, size, "%s_%s%u", adjectives[dice[0] % ARRAY_LEN(adjectives)],
                 nouns[dice[1] % ARRAY_LEN(nouns)], (unsigned)(dice[2] << 8 | dice[3]));
}
