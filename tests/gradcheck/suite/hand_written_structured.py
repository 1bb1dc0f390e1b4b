"""Hand-written backpropagation of conv, attention and recurrent networks, one line wrong."""

from tests.gradcheck.suite._structured_nets import STRUCTURED_NETS
from tests.gradcheck.suite.hand_written_dense import Slip, add_net, add_slip

CONV_1 = "conv1/kernel conv1/bias"
CONVS = CONV_1 + " conv2/kernel conv2/bias"
SCORES = "query key"
STATES = "start input recurrent bias"
GATES = "input recurrent bias"

SLIPS = [
    Slip("conv", "kernel_flipped", "k2[a, b].T", "k2[1 - a, 1 - b].T", CONV_1),
    Slip("conv", "window_assigned", "dh1[window] +=", "dh1[window] =", CONV_1),
    Slip("conv", "bias_over_batch_only",
         "dz1.sum(axis=(0, 1, 2))", "dz1[:, 0, 0].sum(axis=0)", "conv1/bias"),
    Slip("conv", "window_shifted",
         "x[:, a : a + dz1.shape[1]", "x[:, 0 : dz1.shape[1]", "conv1/kernel"),
    Slip("conv", "mean_pool_as_sum", "(dpooled / area)", "dpooled", CONVS),
    Slip("conv", "slope_of_input_layer", "dh1 * (1 - h1**2)", "dh1", CONV_1),
    Slip("conv", "offsets_swapped", "dk2[a, b] =", "dk2[b, a] =", "conv2/kernel"),
    Slip("conv", "first_example_only",
         'nhwo->io", h1[window], dz2', 'nhwo->io", h1[window][:1], dz2[:1]', "conv2/kernel"),
    Slip("attention", "softmax_inner_product_lost", "(dweights - inner)", "dweights", SCORES),
    Slip("attention", "softmax_summed_over_queries",
         "weights).sum(axis=-1", "weights).sum(axis=1", SCORES),
    Slip("attention", "root_forgotten", "inner) / root", "inner)", SCORES),
    Slip("attention", "root_of_wrong_width", "inner) / root", "inner) / np.sqrt(4)", SCORES),
    Slip("attention", "scores_not_transposed", "dscores.swapaxes(1, 2) @ q", "dscores @ q", "key"),
    Slip("attention", "weights_not_transposed",
         "weights.swapaxes(1, 2) @ dmixed", "weights @ dmixed", "value"),
    Slip("attention", "query_for_key", "dscores @ k", "dscores @ q", "query"),
    Slip("attention", "mask_forgotten",
         "np.tril(np.ones(scores.shape[1:]))", "np.ones(scores.shape[1:])", "query key value out"),
    Slip("attention", "out_from_values", '", mixed, dout', '", v, dout', "out"),
    Slip("rnn", "through_time_cut",
         'dnext = dz @ params["recurrent"].T', "dnext = 0.0 * dz", STATES),
    Slip("rnn", "recurrent_not_transposed",
         'dz @ params["recurrent"].T', 'dz @ params["recurrent"]', STATES),
    Slip("rnn", "state_after_the_step", "hs[t].T @ dz", "hs[t + 1].T @ dz", "recurrent"),
    Slip("rnn", "slope_before_the_step", "hs[t + 1] ** 2", "hs[t] ** 2", STATES),
    Slip("rnn", "start_forgotten", "jnp.sum(dnext, axis=0)", "0 * dnext[0]", "start"),
    Slip("rnn", "start_averaged", "jnp.sum(dnext, axis=0)", "jnp.mean(dnext, axis=0)", "start"),
    Slip("rnn", "last_step_only",
         "jnp.add, total, step", "lambda a, b: b, total, step", "input recurrent bias out"),
    Slip("rnn", "time_not_averaged", "(ys[t].size * len(xs))", "ys[t].size", STATES + " out"),
    Slip("lstm", "cell_path_cut", "dc * f\n", "0 * dc\n", GATES),
    Slip("lstm", "hidden_path_cut",
         'dh, dc = dz @ params["recurrent"].T', "dh, dc = 0 * dh", GATES),
    Slip("lstm", "cell_not_accumulated", "dc = dc + dh", "dc = dh", GATES),
    Slip("lstm", "forget_gate_sees_new_cell", "dc * cs[t],", "dc * cs[t + 1],", GATES),
    Slip("lstm", "gates_swapped",
         "dc * g, dc * cs[t], dc * i", "dc * i, dc * cs[t], dc * g", GATES),
    Slip("lstm", "output_slope", "do * o * (1 - o)", "do * (1 - o**2)", GATES),
    Slip("lstm", "squash_forgotten", " * (1 - squashed**2)", "", GATES),
    Slip("embedding", "repeats_overwrite", "].add(dwords)", "].set(dwords)", "table"),
    Slip("embedding", "mean_as_sum", " / tokens.shape[1]", "", "table"),
    Slip("embedding", "order_of_repeats",
         "repeat(dmean, tokens.shape[1], axis=0)", "tile(dmean, (tokens.shape[1], 1))", "table"),
]  # fmt: skip

for net_name, net in STRUCTURED_NETS.items():
    add_net(net_name, net, __name__)
for number, slip in enumerate(SLIPS):
    add_slip(slip, STRUCTURED_NETS[slip.net], 500 + number, __name__)
