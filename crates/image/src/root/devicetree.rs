//! Finds the kernel modules a board needs before its root is mounted. It follows the device tree from the
//! nodes that a root can be behind to all their suppliers, and looks the nodes up in the kernel's module
//! aliases.
//!
//! A hand-written list missed the regulator of the Pi 4's card slot.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, ensure};
use common::glob::matches;

/// Returns the modules for nodes that match one of the patterns, and for everything those nodes depend on.
pub(super) fn modules(tree: &[u8], aliases: &str, patterns: &[String]) -> Result<BTreeSet<String>> {
    let tree = Tree::read(tree)?;
    let aliases: Vec<(&str, &str)> = aliases.lines().filter_map(alias).collect();
    let fit =
        |node: &Node| patterns.iter().any(|p| matches(p, node.name.split('@').next().unwrap_or_default()));
    let mut todo: Vec<usize> = (0..tree.nodes.len()).filter(|i| fit(&tree.nodes[*i])).collect();
    let (mut seen, mut modules) = (BTreeSet::new(), BTreeSet::new());
    while let Some(index) = todo.pop() {
        let node = &tree.nodes[index];
        if !node.works() || !seen.insert(index) {
            continue;
        }
        todo.extend(node.parent);
        todo.extend(tree.suppliers(index));
        for compatible in node.compatible() {
            let name = node.name.split('@').next().unwrap_or_default();
            let asked = format!("of:N{name}T(null)C{compatible}");
            modules.extend(
                aliases.iter().filter(|(p, _)| matches(p, &asked)).map(|(_, module)| (*module).to_owned()),
            );
        }
    }
    Ok(modules)
}

/// Properties that refer to other nodes, with the property that gives the number of argument cells.
const REFERENCES: [(&str, &str); 14] = [
    ("clocks", "#clock-cells"),
    ("assigned-clocks", "#clock-cells"),
    ("resets", "#reset-cells"),
    ("power-domains", "#power-domain-cells"),
    ("dmas", "#dma-cells"),
    ("iommus", "#iommu-cells"),
    ("phys", "#phy-cells"),
    ("interrupts-extended", "#interrupt-cells"),
    ("gpios", "#gpio-cells"),
    ("interrupt-parent", ""),
    ("msi-parent", ""),
    ("pinctrl-0", ""),
    ("mmc-pwrseq", ""),
    ("vmmc-supply", ""),
];

#[derive(Debug, Default)]
struct Node {
    name: String,
    properties: BTreeMap<String, Vec<u8>>,
    parent: Option<usize>,
}

impl Node {
    fn works(&self) -> bool {
        self.properties.get("status").is_none_or(|status| status.starts_with(b"ok"))
    }

    fn compatible(&self) -> impl Iterator<Item = String> {
        let bytes = self.properties.get("compatible").map(Vec::as_slice).unwrap_or_default();
        bytes.split(|b| *b == 0).filter(|s| !s.is_empty()).map(|s| String::from_utf8_lossy(s).into_owned())
    }

    /// Returns the property as a list of cells.
    fn words(&self, property: &str) -> Vec<u32> {
        let bytes = self.properties.get(property).map(Vec::as_slice).unwrap_or_default();
        bytes.chunks_exact(4).map(|word| u32::from_be_bytes([word[0], word[1], word[2], word[3]])).collect()
    }
}

struct Tree {
    nodes: Vec<Node>,
    handles: BTreeMap<u32, usize>,
}

impl Tree {
    /// Reads a flattened device tree (chapter 5 of the specification).
    fn read(blob: &[u8]) -> Result<Tree> {
        let word = |at: usize| -> Result<u32> {
            let bytes = blob.get(at..at + 4).context("the device tree is truncated")?;
            Ok(u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
        };
        let text = |at: usize| -> Result<String> {
            let rest = blob.get(at..).context("the device tree is truncated")?;
            let end = rest.iter().position(|b| *b == 0).context("the device tree is truncated")?;
            Ok(String::from_utf8_lossy(&rest[..end]).into_owned())
        };
        ensure!(word(0)? == 0xd00d_feed, "not a device tree");
        let (mut at, strings) = (word(8)? as usize, word(12)? as usize);
        let (mut nodes, mut stack): (Vec<Node>, Vec<usize>) = (Vec::new(), Vec::new());
        loop {
            let token = word(at)?;
            at += 4;
            match token {
                1 => {
                    let name = text(at)?;
                    at = (at + name.len() + 1).next_multiple_of(4);
                    nodes.push(Node { name, parent: stack.last().copied(), ..Node::default() });
                    stack.push(nodes.len() - 1);
                }
                2 => drop(stack.pop()),
                3 => {
                    let (length, name) = (word(at)? as usize, text(strings + word(at + 4)? as usize)?);
                    let value =
                        blob.get(at + 8..at + 8 + length).context("the device tree is truncated")?.to_vec();
                    at = (at + 8 + length).next_multiple_of(4);
                    let node = *stack.last().context("the device tree has a property without a node")?;
                    nodes[node].properties.insert(name, value);
                }
                4 => {}
                _ => break,
            }
        }
        let handle = |(i, n): (usize, &Node)| Some((*n.words("phandle").first()?, i));
        let handles = nodes.iter().enumerate().filter_map(handle).collect();
        Ok(Tree { nodes, handles })
    }

    /// Returns the nodes that a node needs to work.
    fn suppliers(&self, index: usize) -> Vec<usize> {
        let node = &self.nodes[index];
        let mut suppliers = Vec::new();
        for property in node.properties.keys() {
            let known = REFERENCES.iter().find(|(name, _)| name == property).map(|(_, cells)| *cells);
            let gpio = property.ends_with("-gpios") || property.ends_with("-gpio");
            let supply = property.ends_with("-supply");
            let cells = match known {
                Some(cells) => cells,
                None if gpio => "#gpio-cells",
                None if supply => "",
                None => continue,
            };
            let words = node.words(property);
            let mut at = 0;
            while let Some(word) = words.get(at) {
                at += 1;
                if let Some(target) = self.handles.get(word) {
                    suppliers.push(*target);
                    at += self.nodes[*target].words(cells).first().copied().unwrap_or_default() as usize;
                }
            }
        }
        if node.properties.contains_key("interrupts") {
            suppliers.extend(self.interrupt_parent(index));
        }
        suppliers
    }

    /// Inherited from the nearest ancestor that sets it.
    fn interrupt_parent(&self, index: usize) -> Option<usize> {
        let mut at = Some(index);
        while let Some(node) = at.map(|i| &self.nodes[i]) {
            if let Some(handle) = node.words("interrupt-parent").first() {
                return self.handles.get(handle).copied();
            }
            at = node.parent;
        }
        None
    }
}

/// `alias of:N*T*Cbrcm,bcm2835-sdhost bcm2835`
fn alias(line: &str) -> Option<(&str, &str)> {
    let mut words = line.strip_prefix("alias of:")?.split(' ');
    let pattern = words.next()?;
    // The pattern including its first word, which was cut off above.
    let start = line.find("of:")?;
    Some((&line[start..start + 3 + pattern.len()], words.next()?))
}

#[cfg(test)]
mod tests {
    use super::alias;
    use common::glob::matches;

    #[test]
    fn aliases_are_patterns() {
        let (pattern, module) = alias("alias of:N*T*Cbrcm,bcm2711-emmc2 sdhci_iproc").expect("an alias");
        assert_eq!(module, "sdhci_iproc");
        assert!(matches(pattern, "of:NmmcT(null)Cbrcm,bcm2711-emmc2"));
        assert!(!matches(pattern, "of:NmmcT(null)Cbrcm,bcm2711-emmc"));
        assert!(!matches(pattern, "of:NmmcT(null)Cbrcm,bcm2711-emmc22"));
        assert!(
            matches("of:N*T*Ca,b*", "of:NxT(null)Ca,bc") && !matches("of:N*T*Ca,bC*", "of:NxT(null)Ca,b")
        );
        assert_eq!(alias("alias usb:v0001 x"), None);
    }
}
