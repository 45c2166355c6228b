"""BiLSTM: features of a pair, padding, frozen word vectors, unknown words."""

import torch

from tests.groupdir.models.encoders import TOKENS, bilstm, sentences, texts


def test_pair_features_are_a_b_their_difference_and_product() -> None:
    encoder = bilstm().eval()
    a, b, difference, product = encoder(*texts(4)).chunk(4, dim=1)
    torch.testing.assert_close(difference, (a - b).abs())
    torch.testing.assert_close(product, a * b)


def test_swapping_a_pair_swaps_a_and_b_and_leaves_the_rest() -> None:
    encoder = bilstm().eval()
    tokens, lengths = texts(4)
    straight, swapped = encoder(tokens, lengths), encoder(tokens.flip(1), lengths.flip(1))
    a, b, difference, product = straight.chunk(4, dim=1)
    torch.testing.assert_close(swapped, torch.cat([b, a, difference, product], dim=1))
    assert not torch.allclose(a, b)


def test_a_sentence_feature_is_the_maximum_over_its_own_words() -> None:
    encoder = bilstm().eval()
    a = encoder(*sentences(("a dog runs", "a")))[0, :8]
    words = encoder.vectors[torch.tensor([[2, 3, 4]])]
    states, _ = encoder.lstm(words)  # no padding, nothing packed
    torch.testing.assert_close(a, states[0].amax(0))


def test_padding_does_not_change_the_features() -> None:
    encoder = bilstm().eval()
    given = (("a dog", "runs home ."), ("dog", "a"))
    short, long = encoder(*sentences(*given, length=3)), encoder(*sentences(*given, length=30))
    torch.testing.assert_close(short, long)
    beside_a_long_one = encoder(*sentences(*given, ("a dog runs home . .", "."), length=30))[:2]
    torch.testing.assert_close(beside_a_long_one, short)


def test_the_vector_of_the_padding_is_never_read() -> None:
    encoder = bilstm().eval()
    features = encoder(*texts(4))
    encoder.vectors[0] = 1e6
    torch.testing.assert_close(encoder(*texts(4)), features)


def test_word_vectors_are_frozen_and_travel_with_the_weights() -> None:
    encoder = bilstm().train()
    encoder(*texts(4)).sum().backward()
    assert not encoder.vectors.requires_grad
    assert "vectors" not in dict(encoder.named_parameters())
    assert torch.equal(encoder.state_dict()["vectors"], torch.from_numpy(TOKENS.vectors))
    encoder.vectors[2] = 7.0
    assert TOKENS.vectors is not None
    assert TOKENS.vectors[2, 0] != 7.0  # a copy: trials of a node share the array


def test_unknown_words_and_empty_sentences_are_the_unknown_token() -> None:
    encoder = bilstm().eval()
    features = encoder(*sentences(("zebra", ""), ("dog zebra", "dog yak")))
    assert features.isfinite().all()
    a, b, difference, _ = features.chunk(4, dim=1)
    torch.testing.assert_close(a, b)
    torch.testing.assert_close(difference, torch.zeros_like(difference))
    known = encoder(*sentences(("dog", "dog")))[:, :8]
    assert not torch.allclose(a[:1], known)


def test_the_order_of_words_matters() -> None:
    encoder = bilstm().eval()
    a, b = encoder(*sentences(("a dog runs", "runs dog a")))[0, :16].chunk(2)
    assert not torch.allclose(a, b)
