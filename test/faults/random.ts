export const pick = <Item>(items: readonly Item[]): Item => items[Math.floor(Math.random() * items.length)] as Item;

export const shuffled = <Item>(items: readonly Item[]): readonly Item[] => items.toSorted(() => Math.random() - 0.5);
