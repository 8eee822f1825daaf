import weather


def test_hottest():
    assert weather.hottest(weather.load()).name == "Recife"
