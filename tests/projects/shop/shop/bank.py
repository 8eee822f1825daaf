import shop
import shop.models as goods
from shop.orders import Order


def charge(order: Order) -> bool:
    return goods.price(order) > 0 and shop.total(order).endswith(shop.CURRENCY)
